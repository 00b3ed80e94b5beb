"""What the store takes and gives: values, never rows."""

import enum
from dataclasses import dataclass
from pathlib import Path
from typing import NewType

from mailhost.ids import AccountId, BlobId, MailboxId, MessageId, Millis, ModSeq, Uid, UidValidity
from mailhost.message.form import Form
from mailhost.message.structure import Scanned

Structure = Scanned
"""What the scanner found once, at acceptance: finished bytes for FETCH."""

Flags = NewType("Flags", int)
"""A message's flags as bits: five of the system, then 27 keywords of its mailbox (RFC 3501 section 2.3.2)."""


class SystemFlag(enum.IntFlag):
    """RFC 3501 section 2.3.2. "Recent" is no bit: it follows from `Mailbox.recent_uid`."""

    SEEN = 1
    ANSWERED = 2
    FLAGGED = 4
    DELETED = 8
    DRAFT = 16


SEEN = int(SystemFlag.SEEN)
"""For loops over messages: the operators of an IntFlag take 2 us."""
SYSTEM_FLAGS: dict[str, SystemFlag] = {
    "\\Answered": SystemFlag.ANSWERED,
    "\\Flagged": SystemFlag.FLAGGED,
    "\\Deleted": SystemFlag.DELETED,
    "\\Seen": SystemFlag.SEEN,
    "\\Draft": SystemFlag.DRAFT,
}
FIRST_KEYWORD_BIT, KEYWORDS = 5, 27


class SpecialUse(enum.StrEnum):
    """RFC 6154 section 2."""

    ARCHIVE = "\\Archive"
    DRAFTS = "\\Drafts"
    JUNK = "\\Junk"
    SENT = "\\Sent"
    TRASH = "\\Trash"


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A mailbox as SELECT and STATUS tell it."""

    id: MailboxId
    account: AccountId
    name: str
    uid_validity: UidValidity
    uid_next: Uid
    highest_mod_seq: ModSeq
    recent_uid: Uid
    """Messages with this UID or above are `\\Recent` to the next session that selects read-write."""
    messages: int
    unseen: int
    octets: int
    special_use: SpecialUse | None


@dataclass(frozen=True, slots=True)
class MailboxKey:
    """Where a mailbox is found: every mail table is keyed by account first."""

    account: AccountId
    id: MailboxId


class Place(enum.IntEnum):
    """Where the octets of a blob lie."""

    INLINE = 0
    CHUNKED = 1
    FILE = 2


class Codec(enum.IntEnum):
    PLAIN = 0
    ZSTD = 1


@dataclass(frozen=True, slots=True)
class PreparedBlob:
    """A blob ready for its row: compressed, or already a synced file."""

    id: BlobId
    sha256: bytes
    size: int
    stored_size: int
    codec: Codec
    place: Place
    data: bytes | None
    """The octets as stored, for INLINE; a FILE is found by its id."""
    source: Path | None = None
    """Where the octets of a CHUNKED one lie until its rows are committed, if not in `data`."""

    @property
    def octets(self) -> int:
        """What its rows bring into the database."""
        return 0 if self.place is Place.FILE else self.stored_size


@dataclass(frozen=True, slots=True)
class Content:
    """One message's octets and what is known of them."""

    blob: PreparedBlob
    structure: Structure
    requires: Form = Form.PLAIN
    surrogate: "Content | None" = None
    """For clients that do not take what it requires."""
    crlf_size: int | None = None
    """Of the blob once each line end is a CRLF, where that differs from its size."""

    def crlf_size_after(self, prefix: bytes) -> int | None:
        """Of prefix and blob, for their row."""
        return None if self.crlf_size is None else len(prefix) + self.crlf_size

    @property
    def octets(self) -> int:
        """What its rows bring into the database."""
        return self.blob.octets if self.surrogate is None else self.blob.octets + self.surrogate.octets


@dataclass(frozen=True, slots=True)
class NewSurrogate:
    """A message's other form, with a row of its own in table `message` that no mailbox names."""

    message: MessageId
    blob: BlobId
    structure: Structure
    prefix: bytes
    size: int
    requires: Form
    """What the message itself requires."""
    crlf_size: int | None = None


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message that is to enter a mailbox."""

    mailbox: MailboxKey
    message: MessageId
    blob: BlobId
    structure: Structure
    prefix: bytes
    size: int
    """Octets as served: prefix and blob."""
    internal_date: Millis
    flags: Flags
    keywords: tuple[str, ...] = ()
    crlf_size: int | None = None
    """Octets once each line end is a CRLF, where that differs from `size`: POP3 and relay send it so."""
    surrogate: NewSurrogate | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a message went: what APPENDUID and the ledger tell."""

    uid_validity: UidValidity
    uid: Uid


@dataclass(frozen=True, slots=True)
class Copied:
    """What COPYUID tells (RFC 4315 section 3): sources and targets in the same order."""

    uid_validity: UidValidity
    sources: tuple[Uid, ...]
    targets: tuple[Uid, ...]


class FlagAction(enum.Enum):
    SET = "FLAGS"
    ADD = "+FLAGS"
    REMOVE = "-FLAGS"


@dataclass(frozen=True, slots=True)
class Served:
    """A message as FETCH and RETR serve it; which of the finished bytes are filled depends on what was asked."""

    uid: Uid
    size: int
    internal_date: Millis
    envelope: bytes
    body: bytes
    body_structure: bytes


@dataclass(frozen=True, slots=True)
class Located:
    """Where the octets of one message are: enough to serve any part of them."""

    uid: Uid
    blob: BlobId
    prefix: bytes
    size: int
    header_octets: int
    begins_with_field: bool
    parts: bytes
    header_cache: bytes
