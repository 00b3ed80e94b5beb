"""Hints between processes: something is new, look. Never the news itself, and a lost one costs 30 seconds at most.

What an operation announces may have a `hint()`. After the commit the hints of a batch go out as lines of text: by Unix
datagrams between the processes on one SQLite file (`hints_unix`), by NOTIFY on PostgreSQL (`hints_postgresql`).
"""

import asyncio
import enum
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

MOST_OCTETS = 7000
"""Of one datagram or notification; PostgreSQL takes less than 8,000."""


class Kind(enum.StrEnum):
    MAILBOX = "mailbox"
    ACCOUNT = "account"
    """Disabled, or its password changed: its sessions end."""
    SETTINGS = "settings"
    QUEUE = "queue"
    """Deliveries wait that may be carried on now."""
    RETRY = "retry"
    """Somebody asks that they be tried now, whatever became of the last try."""
    ANYTHING = "anything"
    """Hints were missed: look at everything."""


FOLLOWED = frozenset({Kind.MAILBOX, Kind.QUEUE, Kind.RETRY})
"""Of these this process has followed the change itself: indexes, and whoever carries what waits."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What changed, and the version it has now."""

    kind: Kind
    id: int = 0
    version: int = 0

    def __str__(self) -> str:
        return f"{self.kind} {self.id} {self.version}"


Listener = Callable[[Hint], None]


class Hints:
    """Where hints are heard and sent. By itself it sends nowhere: a process alone on its database."""

    def __init__(self) -> None:
        self._listeners: dict[Kind, list[Listener]] = defaultdict(list)

    def subscribe(self, kind: Kind, listener: Listener) -> None:
        self._listeners[kind].append(listener)

    def published(self, changes: Sequence[object]) -> None:
        """After each commit: a listener of `Database`. A change with a `hint()` is for others too; of several hints about one thing the newest is sent."""
        newest: dict[tuple[Kind, int], Hint] = {}
        for change in changes:
            make = getattr(change, "hint", None)  # isinstance of a Protocol takes 8 us
            if make is not None:
                hint: Hint = make()
                newest[hint.kind, hint.id] = hint
        for hint in newest.values():
            if hint.kind not in FOLLOWED:
                self.heard(hint)
        if newest:
            self.send([str(hint) for hint in newest.values()])

    def send(self, lines: Sequence[str]) -> None:
        """Tell the other processes; never waits."""

    def heard(self, hint: Hint) -> None:
        for listener in self._listeners[hint.kind]:
            try:
                listener(hint)
            except Exception as fault:  # noqa: BLE001 - one listener must not keep a hint from the others
                asyncio.get_running_loop().call_exception_handler({"message": "a hint failed", "exception": fault})

    def received(self, text: str) -> None:
        for line in text.splitlines():
            hint = read(line)
            if hint is not None:
                self.heard(hint)

    async def close(self) -> None:
        """Hear and send no more."""


def read(line: str) -> Hint | None:
    """A hint as it came; None for what this version does not know."""
    words = line.split(" ")
    if len(words) != 3 or words[0] not in set(Kind) or not all(w.isascii() and w.isdigit() for w in words[1:]):
        return None
    return Hint(Kind(words[0]), int(words[1]), int(words[2]))


def packed(lines: Sequence[str]) -> Iterator[str]:
    """Lines in as few texts as fit."""
    some: list[str] = []
    octets = 0
    for line in lines:
        if some and octets + len(line) >= MOST_OCTETS:
            yield "\n".join(some)
            some, octets = [], 0
        some.append(line)
        octets += len(line) + 1
    if some:
        yield "\n".join(some)
