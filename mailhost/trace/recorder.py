"""The sink that keeps events for `mailhost trace`: it gathers for a moment, and writes beside the mail, never before it."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.events.event import (
    AUTH_FAIL,
    AUTH_OK,
    CLIENT_ID,
    CLIENT_MISTAKE,
    CONNECTION_CLOSE,
    CONNECTION_OPEN,
    FAULT,
    NOTICE_WITHHELD,
    PORT_BLOCKED,
    PORT_OPEN,
    QUEUE_DEFER,
    QUEUE_DONE,
    REFUSED,
    STORE_ADD,
    STORE_EXPUNGE,
    STORE_FETCH,
    STORE_FLAG,
    TRACE_FULL,
    Event,
    Events,
)
from mailhost.events.messages import Messages, ranges
from mailhost.events.wire_text import printable
from mailhost.ids import ConnectionId, EventId, JourneyId, MailboxId, Millis, Uid, fresh
from mailhost.trace import entries
from mailhost.trace.entries import COPIED, MOVED
from mailhost.trace.values import Entry

MOST_UIDS = 5_000
"""Of one entry; a command on more messages gives several."""
MOST_AT_ONCE = 500
UIDS_IN_LOOP = 1_000
LONGEST_ABOUT = 2_000
LONGEST_WORDS = 400
"""Characters; an address has 320 at most."""


@dataclass(frozen=True, slots=True)
class RecorderSettings:
    delay: timedelta = timedelta(milliseconds=250)
    """How long events are gathered before they are written together."""
    most_a_minute: int = 1_000
    """Of those that strangers can cause: refusals, wrong passwords, mistakes."""
    most_waiting: int = 20_000
    """Entries not written yet; when the database cannot be written, further ones are lost."""


@dataclass(slots=True)
class _Pending:
    """An entry whose UIDs are no text yet."""

    id: EventId
    at: Millis
    kind: str
    data: dict[str, Any]
    of: Messages | None = None
    uids: Sequence[Uid] = ()
    about: str | None = None
    journey: JourneyId | None = None

    def entry(self) -> Entry:
        uids = ranges(sorted(set(self.uids)), most=len(self.uids))
        account, mailbox = (self.of.account, self.of.mailbox) if self.of else (None, None)
        return Entry(self.id, self.at, self.kind, self.data, account, mailbox, uids, self.about, self.journey)


@dataclass(slots=True)
class _Gathered:
    entries: list[_Pending] = field(default_factory=list)
    fetches: dict[tuple[ConnectionId | None, MailboxId], list[Uid]] = field(default_factory=dict)
    """Per connection and mailbox the UIDs of the entry that is added to: a client that fetches message by message gives one entry a moment."""


class Recorder:
    """Subscribed to `Events`; `run` writes. What could not be written is lost, and the log says so once."""

    def __init__(self, database: Database, events: Events, settings: RecorderSettings = RecorderSettings()) -> None:
        self._database = database
        self._events = events
        self._settings = settings
        self._who: dict[ConnectionId | None, dict[str, str]] = {}
        self._gathered = _Gathered()
        self._some = asyncio.Event()
        self._writing = asyncio.Lock()
        self._minute = self._told_full = 0
        self._by_strangers: Counter[str] = Counter()
        self._is_failing = False

    def __call__(self, event: Event) -> None:
        take = TAKE.get(event.kind)
        if take is not None:
            take(self, event)

    async def run(self) -> None:
        """Again and again. The task is the caller's to watch and to cancel; `flush` writes what it leaves."""
        while True:
            await self._some.wait()
            await asyncio.sleep(self._settings.delay.total_seconds())
            await asyncio.shield(asyncio.ensure_future(self.flush()))

    async def flush(self) -> None:
        """Write all that has been gathered."""
        async with self._writing:
            gathered, self._gathered = self._gathered, _Gathered()
            self._some.clear()
            pending = gathered.entries
            if sum(len(each.uids) for each in pending) > UIDS_IN_LOOP:
                ready = await asyncio.to_thread(lambda: [each.entry() for each in pending])
            else:
                ready = [each.entry() for each in pending]
            for start in range(0, len(ready), MOST_AT_ONCE):
                await self._write(ready[start : start + MOST_AT_ONCE])

    async def _write(self, some: Sequence[Entry]) -> None:
        try:
            await self._database.write(entries.insert_many, some)
        except Exception as failure:  # noqa: BLE001 - whatever is wrong with it, mail goes on without the trace
            if not self._is_failing:
                fault = {} if isinstance(failure, CommitFailed) else {"exception": failure}
                cause = f"the trace could not be written, some of it is lost: {failure}"
                self._events.publish(FAULT, cause=cause, data=fault)
            self._is_failing = True
        else:
            self._is_failing = False

    # What each kind of event leaves.

    def _opened(self, event: Event) -> None:
        names = ("protocol", "listener", "address")
        self._who[event.connection] = {name: str(event.data[name]) for name in names if event.data.get(name)}

    def _closed(self, event: Event) -> None:
        self._who.pop(event.connection, None)

    def _logged_in(self, event: Event) -> None:
        self._who.get(event.connection, {})["user"] = str(event.data.get("user", ""))

    def _introduced(self, event: Event) -> None:
        """A client that says its name (RFC 2971)."""
        said = {str(name).lower(): str(value) for name, value in event.data.get("said", {}).items()}
        if name := said.get("name"):
            self._who.get(event.connection, {})["client"] = _short(name, 100)

    def _fetched(self, event: Event) -> None:
        of: Messages = event.data["messages"]
        key = event.connection, of.mailbox
        known = self._gathered.fetches.get(key)
        if known is not None and len(known) + len(of.uids) <= MOST_UIDS:
            known.extend(of.uids)
            return
        for start in range(0, len(of.uids), MOST_UIDS):
            uids = list(of.uids[start : start + MOST_UIDS])
            self._add(event, event.kind, self._by(event), of, uids)
            self._gathered.fetches[key] = uids

    def _flagged(self, event: Event) -> None:
        self._add_messages(event, event.kind, event.data["messages"], change=event.data["change"])

    def _expunged(self, event: Event) -> None:
        if not event.data.get("moved"):
            self._add_messages(event, event.kind, event.data["messages"])

    def _copied(self, event: Event) -> None:
        """Kept under the source: from there a message is followed. The targets have UIDs in a row."""
        source: Messages | None = event.data.get("source")
        if source is not None:
            to: Messages = event.data["messages"]
            kind = MOVED if event.data.get("moved") else COPIED
            self._add_messages(event, kind, source, to_mailbox=to.mailbox, to_account=to.account, to_uid=to.uids[0])

    def _add_messages(self, event: Event, kind: str, of: Messages, **data: Any) -> None:
        for start in range(0, len(of.uids), MOST_UIDS):
            data_here = dict(data)
            if "to_uid" in data:
                data_here["to_uid"] += start
            self._add(event, kind, self._by(event) | data_here, of, of.uids[start : start + MOST_UIDS])

    def _tried(self, event: Event) -> None:
        """A try to relay, and what it came to."""
        data = {"reason": event.cause} | {name: value for name, value in event.data.items() if value is not None}
        self._add(event, event.kind, data)

    def _befell(self, event: Event) -> None:
        """The server as a whole."""
        self._add(replace(event, journey=entries.OF_SERVER), event.kind, {"cause": event.cause})

    def _refused(self, event: Event) -> None:
        sender, recipients = event.data.get("sender", ""), event.data.get("recipients", [])
        if sender or recipients:
            sender, recipients = _short(sender), list(map(_short, recipients))
            data = {"reply": _short(event.cause), "sender": sender, "recipients": recipients}
            self._add_stranger(event, data, [sender, *recipients])

    def _failed(self, event: Event) -> None:
        """A login, or a client whose settings cannot work."""
        self._add_stranger(event, {"cause": event.cause} | _named(event, "user"), [str(event.data.get("user", ""))])

    def _add_stranger(self, event: Event, data: dict[str, Any], about: list[str]) -> None:
        by = self._by(event)
        if self._has_room(event, by.get("address", "")):
            words = " ".join(filter(None, [by.get("address", ""), *map(_short, about)]))
            self._add(event, event.kind, by | data, about=words.lower()[:LONGEST_ABOUT])

    def _has_room(self, event: Event, address: str) -> bool:
        """So many a minute, and a tenth of them from one address: a flood must not hide what befell the others."""
        minute = event.at // 60_000
        if minute != self._minute:
            self._minute = minute
            self._by_strangers.clear()
        most = self._settings.most_a_minute
        if self._by_strangers.total() < most and self._by_strangers[address] < max(most // 10, 1):
            self._by_strangers[address] += 1
            return True
        if self._told_full != minute:
            self._told_full = minute
            self._events.publish(
                TRACE_FULL, cause=f"more refusals than are recorded in a minute, the last from {address}"
            )
        return False

    def _by(self, event: Event) -> dict[str, Any]:
        return dict(self._who.get(event.connection, {}))

    def _add(
        self,
        event: Event,
        kind: str,
        data: dict[str, Any],
        of: Messages | None = None,
        uids: Sequence[Uid] = (),
        about: str | None = None,
    ) -> None:
        """Nothing when too many wait."""
        if len(self._gathered.entries) < self._settings.most_waiting:
            self._gathered.entries.append(
                _Pending(EventId(fresh()), event.at, kind, data, of, uids, about, event.journey)
            )
            self._some.set()


def _named(event: Event, *names: str) -> dict[str, str]:
    return {name: _short(str(event.data[name])) for name in names if event.data.get(name)}


def _short(text: str, most: int = LONGEST_WORDS) -> str:
    """What strangers say: without control characters, which no database and no terminal should meet, and no longer than an address."""
    return printable(text[:most])[:most]


TAKE: Mapping[str, Callable[[Recorder, Event], None]] = {
    CONNECTION_OPEN: Recorder._opened,  # noqa: SLF001 - the class's own table
    CONNECTION_CLOSE: Recorder._closed,  # noqa: SLF001
    AUTH_OK: Recorder._logged_in,  # noqa: SLF001
    CLIENT_ID: Recorder._introduced,  # noqa: SLF001
    STORE_FETCH: Recorder._fetched,  # noqa: SLF001
    STORE_FLAG: Recorder._flagged,  # noqa: SLF001
    STORE_ADD: Recorder._copied,  # noqa: SLF001
    STORE_EXPUNGE: Recorder._expunged,  # noqa: SLF001
    QUEUE_DEFER: Recorder._tried,  # noqa: SLF001
    QUEUE_DONE: Recorder._tried,  # noqa: SLF001
    NOTICE_WITHHELD: Recorder._tried,  # noqa: SLF001
    PORT_BLOCKED: Recorder._befell,  # noqa: SLF001
    PORT_OPEN: Recorder._befell,  # noqa: SLF001
    REFUSED: Recorder._refused,  # noqa: SLF001
    AUTH_FAIL: Recorder._failed,  # noqa: SLF001
    CLIENT_MISTAKE: Recorder._failed,  # noqa: SLF001
}
"""All other kinds are the ledger's, or nobody asks for them by message."""
