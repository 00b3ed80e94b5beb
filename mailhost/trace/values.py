"""What the trace takes and gives."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mailhost.ids import AccountId, EventId, JourneyId, MailboxId, Millis, Uid


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it is kept: about messages of a mailbox, or about addresses."""

    id: EventId
    at: Millis
    kind: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """protocol, address, user, client: who did it; and what the kind has to tell."""
    account: AccountId | None = None
    mailbox: MailboxId | None = None
    uids: str = ""
    """Ascending, as a set: `1:5,7`."""
    about: str | None = None
    journey: JourneyId | None = None

    def runs(self) -> Iterator[tuple[Uid, Uid]]:
        for run in self.uids.split(",") if self.uids else ():
            low, _, high = run.partition(":")
            yield Uid(int(low)), Uid(int(high or low))

    def place_of(self, uid: Uid) -> int | None:
        """The how-manieth of the messages this one is, from 0; None when it is none of them."""
        before = 0
        for low, high in self.runs():
            if low <= uid <= high:
                return before + uid - low
            before += high - low + 1
        return None
