"""What changed in a mailbox: announced in the transaction, published after its commit.

A change carries the mailbox's mod-sequence before and after it, so that whoever keeps a copy knows whether it missed one.
"""

from dataclasses import dataclass
from typing import TypeAlias

from mailhost.database.hints import Hint, Kind
from mailhost.ids import ModSeq, Uid
from mailhost.store.values import Flags, MailboxKey

NO_MORE = ModSeq((1 << 62) - 1)
"""After the last version that a mailbox can have: it is gone."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A mailbox went from one version to the next."""

    mailbox: MailboxKey
    before: ModSeq
    after: ModSeq

    def hint(self) -> Hint:
        return Hint(Kind.MAILBOX, self.mailbox.id, self.after)


@dataclass(frozen=True, slots=True)
class Added(Changed):
    """Messages entered the mailbox, with ascending UIDs above all that were there."""

    messages: tuple[tuple[Uid, Flags], ...]


@dataclass(frozen=True, slots=True)
class Flagged(Changed):
    """Messages have these flags now."""

    messages: tuple[tuple[Uid, Flags], ...]


@dataclass(frozen=True, slots=True)
class Expunged(Changed):
    """Messages left the mailbox."""

    uids: tuple[Uid, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """The mailbox itself is gone."""

    mailbox: MailboxKey

    def hint(self) -> Hint:
        return Hint(Kind.MAILBOX, self.mailbox.id, NO_MORE)


Change: TypeAlias = Added | Flagged | Expunged
