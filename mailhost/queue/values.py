"""What the queue takes and gives."""

import enum
from dataclasses import dataclass
from typing import NamedTuple

from mailhost.ids import AccountId, BlobId, DeliveryId, JourneyId, MailboxId, Millis, Uid

HELD = "its sender asked for a later time"
"""Why a delivery waits that has a time of its own (RFC 4865)."""


class State(enum.IntEnum):
    """Where a recipient's delivery is; all but WAITING are final."""

    WAITING = 0
    STORED = 1
    RELAYED = 2
    EXPANDED = 3
    BOUNCED = 4
    EXPIRED = 5
    CANCELLED = 6
    DISCARDED = 7


class Share(NamedTuple):
    """What one sender has for one destination at one priority: shares take turns, so that nobody waits behind another's thousands."""

    destination: str
    """"" for mailboxes here."""
    sender: int = 0
    """The account; 0 for all that came from elsewhere."""
    priority: int = 0
    """RFC 6710; the higher goes first."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """One message that this server took responsibility for (RFC 5321 section 4.2.5)."""

    journey: JourneyId
    at: Millis
    peer: str
    helo: str
    login: AccountId | None
    reverse_path: str
    blob: BlobId
    prefix: bytes
    size: int
    body: str = "7BIT"
    smtputf8: bool = False
    envid: str | None = None
    ret: str | None = None
    release_at: Millis | None = None
    """When it may go on, as its sender asked (RFC 4865)."""
    subject: str = ""
    """Decoded and cut to a line: what people ask by."""
    message_id: str = ""
    """With its angle brackets; a field of the message, and not a name that is ours."""
    deliver_by: Millis | None = None
    """When it is too late, as its sender asked (RFC 2852)."""
    by_mode: str | None = None
    """What happens then: R returns it, N tells its sender; a T behind it asks for a trace."""
    priority: int = 0
    """RFC 6710: -9 to 9."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One row of the ledger: one accepted recipient."""

    id: DeliveryId
    journey: JourneyId
    parent: DeliveryId | None
    recipient: str
    original: str
    destination: str
    state: State
    reason: str | None = None
    account: AccountId | None = None
    mailbox: MailboxId | None = None
    uid: Uid | None = None
    next_try: Millis | None = None
    finished_at: Millis | None = None
    notify: str | None = None
    tries: int = 0
    status: str | None = None
    """Of the last try (RFC 3463)."""
    reply: str | None = None
    """What the other host said last."""
    host: str | None = None
    """The other host that was tried last."""
    told_at: Millis | None = None
    """When the sender heard of it, by a notice."""
    sender: int = 0
    priority: int = 0
    hold: int = 0
    """Not 0 for one that an administrator holds."""

    @property
    def share(self) -> Share:
        return Share(self.destination, self.sender, self.priority)
