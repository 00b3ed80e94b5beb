"""Flags: changed in SQL from the row as it is, never from a copy (RFC 3501 section 6.4.6)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam as bind
from sqlalchemy import insert, select, update

from mailhost.database.errors import Refused
from mailhost.database.marks import for_many
from mailhost.database.transaction import Transaction
from mailhost.database.types import Among
from mailhost.ids import ModSeq, Uid
from mailhost.store import mailboxes
from mailhost.store.changes import Flagged
from mailhost.store.errors import MailboxMissing, TooManyKeywords
from mailhost.store.mailboxes import Counters, Locked
from mailhost.store.tables import keyword, mailbox_message
from mailhost.store.values import FIRST_KEYWORD_BIT, KEYWORDS, SEEN, FlagAction, Flags, MailboxKey

ALL_FLAGS = (1 << (FIRST_KEYWORD_BIT + KEYWORDS)) - 1


_HERE = mailbox_message.c.account_id == bind("account"), mailbox_message.c.mailbox_id == bind("mailbox")
READ = Among(
    select(mailbox_message.c.uid, mailbox_message.c.flags).where(*_HERE).order_by(mailbox_message.c.uid),
    mailbox_message.c.uid,
    "account",
    "mailbox",
)
READ_CONDITIONALLY = Among(
    select(mailbox_message.c.uid, mailbox_message.c.flags, mailbox_message.c.mod_seq)
    .where(*_HERE)
    .order_by(mailbox_message.c.uid),
    mailbox_message.c.uid,
    "account",
    "mailbox",
)
CHANGE = Among(
    update(mailbox_message)
    .where(*_HERE)
    .values(
        flags=mailbox_message.c.flags.bitwise_and(bind("keep")).bitwise_or(bind("put")),
        mod_seq=bind("now"),
    ),
    mailbox_message.c.uid,
    "account",
    "mailbox",
    "keep",
    "put",
    "now",
)


@dataclass(frozen=True, slots=True)
class FlagChange:
    """What one STORE asks of some messages."""

    mailbox: MailboxKey
    uids: tuple[Uid, ...]
    action: FlagAction
    flags: Flags
    keywords: tuple[str, ...] = ()
    unchanged_since: ModSeq | None = None
    """Messages with a larger mod-sequence are left as they are (RFC 7162 section 3.1.3)."""

    @property
    def rows(self) -> int:
        return len(self.uids)


@dataclass(frozen=True, slots=True)
class FlagsNow:
    """What the messages have now; one mod-sequence for all of one STORE."""

    mod_seq: ModSeq
    messages: tuple[tuple[Uid, Flags], ...]
    changed: bool = True
    """False where all had these flags before: then the mod-sequence is that of a change by somebody else."""
    failed: tuple[Uid, ...] = ()
    """Messages that changed after `unchanged_since`."""


@for_many
def change(tx: Transaction, requests: Sequence[FlagChange]) -> list[FlagsNow | Refused]:
    """Change flags; messages expunged meanwhile are left out of the answer."""
    locked = mailboxes.lock(tx, [each.mailbox for each in requests])
    answers: dict[int, FlagsNow | Refused] = {}
    for place, each in sorted(enumerate(requests), key=lambda item: item[1].mailbox.id):
        answers[place] = _change(tx, locked, each)
    return [answers[place] for place in range(len(requests))]


def _change(tx: Transaction, locked: dict[Any, Locked], request: FlagChange) -> FlagsNow | Refused:
    key = request.mailbox
    start = locked.get(key.id)
    if start is None:
        return MailboxMissing()
    try:
        asked = bits_for(tx, key, request.keywords, learn=request.action is not FlagAction.REMOVE)
    except TooManyKeywords as refusal:
        return refusal
    keep, put = masks(request.action, Flags(request.flags | asked))
    before, failed = _read(tx, request)
    after = {uid: Flags(flags & keep | put) for uid, flags in before.items()}
    if before == after:
        return FlagsNow(start.highest_mod_seq, tuple(after.items()), changed=False, failed=failed)
    mod_seq = ModSeq(start.highest_mod_seq + 1)
    changed = [uid for uid, flags in after.items() if flags != before[uid]]
    statement, *values = CHANGE(changed, key.account, key.id, keep, put, mod_seq)
    tx.many(statement, [tuple(values)])
    unseen = sum(_unseen(flags) for flags in after.values()) - sum(_unseen(flags) for flags in before.values())
    mailboxes.move_counters(tx, [(key, Counters(0, 1, 0, unseen, 0))])
    locked[key.id] = Locked(key, start.uid_validity, start.uid_next, mod_seq)
    tx.announce(Flagged(key, start.highest_mod_seq, mod_seq, tuple((uid, after[uid]) for uid in changed)))
    return FlagsNow(mod_seq, tuple(after.items()), failed=failed)


def masks(action: FlagAction, flags: Flags) -> tuple[int, int]:
    """What is kept of the flags before, and what is put to them."""
    match action:
        case FlagAction.SET:
            return 0, int(flags)  # a plain number: the operators of an IntFlag take 2 us a message
        case FlagAction.ADD:
            return ALL_FLAGS, int(flags)
        case FlagAction.REMOVE:
            return ALL_FLAGS & ~int(flags), 0  # ~ of an IntFlag would drop the keywords


def bits_for(tx: Transaction, key: MailboxKey, names: Sequence[str], learn: bool = True) -> Flags:
    """The bits of some keywords, which the mailbox learns where it does not know them (RFC 3501 section 2.3.2).

    Raises `TooManyKeywords`, and then has learnt none. Keywords are compared without regard to case, and kept as first written.
    """
    if not names:
        return Flags(0)
    known = {name.lower(): bit for name, bit in mailboxes.keywords(tx, key).items()}
    new = {name.lower(): name for name in reversed(names) if name.lower() not in known} if learn else {}
    if len(known) + len(new) > KEYWORDS:
        raise TooManyKeywords
    for lower, name in reversed(new.items()):
        known[lower] = _learn(tx, key, name, FIRST_KEYWORD_BIT + len(known))
    bits = 0
    for name in names:
        bits |= known.get(name.lower(), 0)
    return Flags(bits)


def _learn(tx: Transaction, key: MailboxKey, name: str, bit: int) -> Flags:
    tx.execute(insert(keyword).values(account_id=key.account, mailbox_id=key.id, bit=bit, name=name))
    return Flags(1 << bit)


def _read(tx: Transaction, request: FlagChange) -> tuple[dict[Uid, int], tuple[Uid, ...]]:
    """The flags of messages that may be changed, and those that have changed too late for that."""
    where, limit = (request.mailbox.account, request.mailbox.id), request.unchanged_since
    if limit is None:
        return {row.uid: row.flags for row in tx.found(*READ(request.uids, *where))}, ()
    rows = tx.found(*READ_CONDITIONALLY(request.uids, *where))
    failed = tuple(row.uid for row in rows if row.mod_seq > limit)
    return {row.uid: row.flags for row in rows if row.mod_seq <= limit}, failed


def _unseen(flags: int) -> int:
    return 0 if flags & SEEN else 1
