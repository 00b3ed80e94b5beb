"""What changed in a mailbox: announced in the transaction, published after its commit.

A change carries the mailbox's mod-sequence before and after it, so that whoever keeps a copy knows whether it missed one.
"""

from dataclasses import dataclass
from typing import TypeAlias

from mailhost.ids import ModSeq, Uid
from mailhost.store.values import Flags, MailboxKey


@dataclass(frozen=True, slots=True)
class Added:
    """Messages entered the mailbox, with ascending UIDs above all that were there."""

    mailbox: MailboxKey
    before: ModSeq
    after: ModSeq
    messages: tuple[tuple[Uid, Flags], ...]


@dataclass(frozen=True, slots=True)
class Flagged:
    """Messages have these flags now."""

    mailbox: MailboxKey
    before: ModSeq
    after: ModSeq
    messages: tuple[tuple[Uid, Flags], ...]


@dataclass(frozen=True, slots=True)
class Expunged:
    """Messages left the mailbox."""

    mailbox: MailboxKey
    before: ModSeq
    after: ModSeq
    uids: tuple[Uid, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """The mailbox itself is gone."""

    mailbox: MailboxKey


Change: TypeAlias = Added | Flagged | Expunged
