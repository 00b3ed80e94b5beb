"""Messages in mailboxes: put in, copied, moved, expunged, served."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, Table, case, func, insert, select
from sqlalchemy import bindparam as bind

from mailhost.database.errors import Refused
from mailhost.database.hot import Hot
from mailhost.database.marks import for_many, long, long_by, one_statement
from mailhost.database.transaction import Transaction
from mailhost.database.types import Among, one_of
from mailhost.ids import MailboxId, MessageId, Millis, ModSeq, Uid
from mailhost.message.form import Form
from mailhost.store import blobs, mailboxes
from mailhost.store.changes import Added, Expunged
from mailhost.store.errors import MailboxMissing, MessageMissing, TargetMissing, TooManyKeywords
from mailhost.store.flags import bits_for
from mailhost.store.mailboxes import Counters, Locked
from mailhost.store.tables import expunged_message, mailbox_message, message
from mailhost.store.values import (
    SEEN,
    Copied,
    Flags,
    Located,
    MailboxKey,
    NewMessage,
    NewSurrogate,
    Placed,
    PreparedBlob,
    Served,
)

INSERT_MESSAGE = Hot(
    insert(message),
    "account_id",
    "id",
    "blob_id",
    "prefix",
    "size",
    "crlf_size",
    "internal_date",
    "sent_date",
    "message_id_hash",
    "header_octets",
    "begins_with_field",
    "envelope",
    "body",
    "body_structure",
    "parts",
    "header_cache",
    "requires",
    "surrogate_id",
    "surrogate_size",
)
PLACE_MESSAGE = Hot(
    insert(mailbox_message), "account_id", "mailbox_id", "uid", "message_id", "flags", "mod_seq", "saved_at"
)


IN = ("account", "mailbox")
"""Whose messages: the first two values of each of these statements."""


def _within(places: Table, *columns: Any) -> Any:
    """These columns of the messages of one mailbox."""
    return (
        select(places.c.uid, *columns)
        .join_from(
            places, message, (message.c.account_id == places.c.account_id) & (message.c.id == places.c.message_id)
        )
        .where(places.c.account_id == bind("account"), places.c.mailbox_id == bind("mailbox"))
        .order_by(places.c.uid)
    )


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read of messages: of those that are there, of those expunged, and of surrogates in the place of either."""

    here: Among
    expunged: Among
    surrogates: tuple[Among, Among]


def _reading(*names: str) -> _Reading:
    columns = [message.c[name] for name in ("requires", *names)]
    return _Reading(
        Among(_within(mailbox_message, *columns), mailbox_message.c.uid, *IN),
        Among(_within(expunged_message, *columns), expunged_message.c.uid, *IN),
        (_of_surrogates(mailbox_message, names), _of_surrogates(expunged_message, names)),
    )


OTHER = message.alias("other")


def _of_surrogates(places: Table, names: Sequence[str]) -> Among:
    """In the columns of `_within`; nothing but the UID of messages that have lost their surrogate."""
    columns = [OTHER.c[name] for name in ("requires", *names)]
    found = (OTHER.c.account_id == message.c.account_id) & (OTHER.c.id == message.c.surrogate_id)
    statement: Select[Any] = _within(places, *columns)
    return Among(statement.join(OTHER, found, isouter=True), places.c.uid, *IN)


SERVED = _reading("size", "internal_date", "envelope", "body", "body_structure")
ARRIVED = _reading("internal_date")
LOCATED = _reading("blob_id", "prefix", "size", "header_octets", "begins_with_field", "parts", "header_cache")
SIZES = _reading("crlf_size")
EVERY_SIZE = Hot(_within(mailbox_message, message.c.requires, message.c.crlf_size), *IN)
COUNTED = Among(
    _within(
        mailbox_message, mailbox_message.c.message_id, mailbox_message.c.flags, message.c.size, message.c.surrogate_size
    ),
    mailbox_message.c.uid,
    *IN,
)


@dataclass(frozen=True, slots=True)
class Append:
    """One message for one mailbox, with the blob that comes with it."""

    message: NewMessage
    blob: PreparedBlob
    saved_at: Millis
    surrogate_blob: PreparedBlob | None = None

    @property
    def blobs(self) -> tuple[PreparedBlob, ...]:
        return (self.blob,) if self.surrogate_blob is None else (self.blob, self.surrogate_blob)

    @property
    def octets(self) -> int:
        return sum(each.octets for each in self.blobs)


@for_many
def append(tx: Transaction, requests: Sequence[Append]) -> list[Placed | Refused]:
    """Put messages into mailboxes: what IMAP's APPEND does (RFC 3501 section 6.3.11)."""
    locked = mailboxes.lock(tx, [each.message.mailbox for each in requests])
    ready = [_ready(tx, locked, each.message) for each in requests]
    going = [(each, new) for each, new in zip(requests, ready, strict=True) if isinstance(new, NewMessage)]
    if not going:
        return [new for new in ready if isinstance(new, Refused)]
    blobs.insert_many(tx, [its for each, _ in going for its in each.blobs])
    placed = iter(put(tx, locked, [new for _, new in going], going[0][0].saved_at))
    return [next(placed) if isinstance(new, NewMessage) else new for new in ready]


def _ready(tx: Transaction, locked: dict[MailboxId, Locked], new: NewMessage) -> NewMessage | Refused:
    """The message with its keywords as flags; or why it cannot come in."""
    if new.mailbox.id not in locked:
        return TargetMissing()
    try:
        return replace(new, flags=Flags(new.flags | bits_for(tx, new.mailbox, new.keywords)), keywords=())
    except TooManyKeywords as refusal:
        return refusal


def put(tx: Transaction, locked: dict[Any, Locked], new: Sequence[NewMessage], saved_at: Millis) -> list[Placed]:
    """Insert messages into mailboxes whose rows are taken, each with a UID and a mod-sequence of its own.

    Their keywords have become flags before: what refuses one message must not undo the others.
    """
    tallies: dict[MailboxId, _Tally] = {}
    rows, places, answers, changes = [], [], [], []
    for each in new:
        assert not each.keywords
        key, flags = each.mailbox, each.flags
        tally = tallies.get(key.id) or tallies.setdefault(key.id, _Tally(locked[key.id]))
        uid, mod_seq = tally.count(each)
        rows.append(_message_row(each))
        if each.surrogate is not None:
            rows.append(_surrogate_row(each, each.surrogate))
        places.append((key.account, key.id, uid, each.message, flags, mod_seq, saved_at))
        answers.append(Placed(tally.start.uid_validity, uid))
        changes.append(Added(key, ModSeq(mod_seq - 1), mod_seq, ((uid, flags),)))
    tx.many(INSERT_MESSAGE, rows)
    tx.many(PLACE_MESSAGE, sorted(places))
    mailboxes.move_counters(tx, [(tally.start.key, tally.counters()) for _, tally in sorted(tallies.items())])
    for change in changes:
        tx.announce(change)
    locked.update({id_: tally.now() for id_, tally in tallies.items()})
    return answers


class _Tally:
    """What comes into one mailbox: each message takes one UID and one mod-sequence."""

    __slots__ = ("messages", "octets", "start", "unseen")

    def __init__(self, start: Locked) -> None:
        self.start = start
        self.messages = self.unseen = self.octets = 0

    def count(self, new: NewMessage) -> tuple[Uid, ModSeq]:
        """One more; answers with what it takes."""
        uid = Uid(self.start.uid_next + self.messages)
        self.messages += 1
        self.unseen += not new.flags & SEEN
        self.octets += new.size if new.surrogate is None else max(new.size, new.surrogate.size)
        return uid, ModSeq(self.start.highest_mod_seq + self.messages)

    def counters(self) -> Counters:
        return Counters(self.messages, self.messages, self.messages, self.unseen, self.octets)

    def now(self) -> Locked:
        """The mailbox's row as it is after this."""
        start = self.start
        uid_next, mod_seq = Uid(start.uid_next + self.messages), ModSeq(start.highest_mod_seq + self.messages)
        return Locked(start.key, start.uid_validity, uid_next, mod_seq)


@long_by(lambda _source, uids, *_: len(uids))
def copy(
    tx: Transaction, source: MailboxKey, uids: Sequence[Uid], target: MailboxKey, now: Millis, every: bool = False
) -> Copied:
    """Copy messages with their flags; the octets are shared (RFC 3501 section 6.4.7). Those expunged meanwhile are left out.

    Raises `MailboxMissing`, `TargetMissing`; where it must be every one of them or none, `MessageMissing`.
    """
    locked = mailboxes.lock(tx, {source, target})
    if target.id not in locked:
        raise TargetMissing
    if source.id not in locked:
        raise MailboxMissing
    rows = _joined(tx, COUNTED, source, uids)
    if every and len(rows) < len(uids):
        raise MessageMissing
    flags = _translated(tx, source, target, [row.flags for row in rows])
    start = locked[target.id]
    first, mod_seq = start.uid_next, ModSeq(start.highest_mod_seq + 1)
    targets = [Uid(first + place) for place in range(len(rows))]
    if not rows:
        return Copied(start.uid_validity, (), ())
    tx.many(
        PLACE_MESSAGE,
        [
            (target.account, target.id, uid, row.message_id, flag, mod_seq, now)
            for uid, row, flag in zip(targets, rows, flags, strict=True)
        ],
    )
    unseen = sum(not flag & SEEN for flag in flags)
    mailboxes.move_counters(tx, [(target, Counters(len(rows), 1, len(rows), unseen, _octets(rows)))])
    tx.announce(Added(target, start.highest_mod_seq, mod_seq, tuple(zip(targets, flags, strict=True))))
    return Copied(start.uid_validity, tuple(row.uid for row in rows), tuple(targets))


@long_by(lambda _source, uids, *_: len(uids))
def move(
    tx: Transaction, source: MailboxKey, uids: Sequence[Uid], target: MailboxKey, now: Millis, every: bool = False
) -> Copied:
    """Copy and expunge in one step (RFC 6851). Raises what `copy` does."""
    copied = copy(tx, source, uids, target, now, every)
    expunge(tx, source, copied.sources, now)
    return copied


@long_by(lambda _key, uids, *_: len(uids))
def expunge(tx: Transaction, key: MailboxKey, uids: Sequence[Uid], now: Millis, only: Flags = Flags(0)) -> list[Uid]:
    """Take messages out of a mailbox, those with all the flags of `only`; they rest until the sweeper comes. Answers with what left."""
    locked = mailboxes.lock_one(tx, key)
    rows = [row for row in _joined(tx, COUNTED, key, uids) if row.flags & only == only]
    if not rows:
        return []
    gone = [Uid(row.uid) for row in rows]
    mod_seq = ModSeq(locked.highest_mod_seq + 1)
    mailboxes.bury(tx, _places(key, gone), mod_seq, now)
    unseen = sum(not row.flags & SEEN for row in rows)
    mailboxes.move_counters(tx, [(key, Counters(0, 1, -len(rows), -unseen, -_octets(rows)))])
    tx.announce(Expunged(key, locked.highest_mod_seq, mod_seq, tuple(gone)))
    return gone


def serve(tx: Transaction, key: MailboxKey, uids: Sequence[Uid], takes: Form = Form.PLAIN) -> list[Served]:
    """The finished bytes of some messages (a page of about 200), also of those expunged but not yet told."""
    return [
        Served(row.uid, row.size, row.internal_date, row.envelope, row.body, row.body_structure)
        for row in _taken(tx, key, _rows(tx, key, uids, SERVED), SERVED, takes)
    ]


def arrived(
    tx: Transaction, key: MailboxKey, uids: Sequence[Uid], takes: Form = Form.PLAIN
) -> list[tuple[Uid, Millis]]:
    """The INTERNALDATE of some messages, also of those expunged but not yet told; a fifth of the time that `serve` takes."""
    return [(row.uid, row.internal_date) for row in _taken(tx, key, _rows(tx, key, uids, ARRIVED), ARRIVED, takes)]


def locate(tx: Transaction, key: MailboxKey, uids: Sequence[Uid], takes: Form = Form.PLAIN) -> list[Located]:
    """Where the octets of some messages are, also of those expunged but not yet told."""
    return _located(_taken(tx, key, _rows(tx, key, uids, LOCATED), LOCATED, takes))


@one_statement
def locate_present(tx: Transaction, key: MailboxKey, uid: Uid, takes: Form = Form.PLAIN) -> Located | None:
    """`locate` for POP3, which has no word for an expunged message that is still served: there is none.

    A surrogate is a second statement; it goes only with its message, and then there is none either.
    """
    found = _located(_taken(tx, key, _joined(tx, LOCATED.here, key, [uid]), LOCATED, takes))
    return found[0] if found else None


@long
def sizes(tx: Transaction, key: MailboxKey, takes: Form = Form.PLAIN) -> list[tuple[Uid, int]]:
    """UID and octets of every message, each line end a CRLF, ascending: a POP3 maildrop (RFC 1939 sections 5 and 11)."""
    rows = tx.found(EVERY_SIZE, key.account, key.id)
    return [(row.uid, row.crlf_size) for row in _taken(tx, key, rows, SIZES, takes)]


def sizes_small(tx: Transaction, key: MailboxKey, takes: Form = Form.PLAIN) -> list[tuple[Uid, int]]:
    """`sizes` for a mailbox of few messages: in the loop's thread it takes less than a hop to another."""
    return sizes(tx, key, takes)


def hash_of(message_id: bytes) -> int:
    """63 bits of a Message-ID, to find it by."""
    return int.from_bytes(hashlib.blake2b(message_id, digest_size=8).digest(), "big") >> 1


def _located(rows: Sequence[Any]) -> list[Located]:
    return [
        Located(
            row.uid,
            row.blob_id,
            row.prefix,
            row.size,
            row.header_octets,
            bool(row.begins_with_field),
            row.parts,
            row.header_cache,
        )
        for row in rows
    ]


def _rows(tx: Transaction, key: MailboxKey, uids: Sequence[Uid], reading: _Reading) -> list[Any]:
    rows = _joined(tx, reading.here, key, uids)
    if len(rows) < len(uids):
        rows = sorted([*rows, *_joined(tx, reading.expunged, key, uids)], key=lambda row: row.uid)
    return rows


def _taken(tx: Transaction, key: MailboxKey, rows: list[Any], reading: _Reading, takes: Form) -> list[Any]:
    """The rows, and in the place of those that require more than the client takes those of their surrogates.

    One that has lost its surrogate is left out: raw it is served to nobody who does not take it.
    """
    lacks = ~int(takes)
    needy = [row[0] for row in rows if row[1] & lacks]
    if not needy:
        return rows
    instead = {row.uid: row for statement in reading.surrogates for row in _joined(tx, statement, key, needy)}
    kept = dict.fromkeys(needy) | {uid: row for uid, row in instead.items() if row.requires is not None}
    chosen = (kept.get(row.uid, row) for row in rows)
    return [row for row in chosen if row is not None]


def _joined(tx: Transaction, statement: Among, key: MailboxKey, uids: Sequence[Uid]) -> list[Any]:
    return tx.found(*statement(uids, key.account, key.id))


def _octets(rows: Sequence[Any]) -> int:
    """What messages count for: the larger form, so that no client finds more than it was told (RFC 8438 section 2)."""
    return sum(row.size if row.surrogate_size is None else max(row.size, row.surrogate_size) for row in rows)


def _places(key: MailboxKey, uids: Sequence[Uid]) -> list[Any]:
    return [
        mailbox_message.c.account_id == key.account,
        mailbox_message.c.mailbox_id == key.id,
        one_of(mailbox_message.c.uid, uids),
    ]


def _translated(tx: Transaction, source: MailboxKey, target: MailboxKey, flags: Sequence[int]) -> list[Flags]:
    """Keywords have other bits in another mailbox."""
    used = 0
    for each in flags:
        used |= each
    if source == target or used < 1 << 5:
        return [Flags(each) for each in flags]
    names = [(bit, name) for name, bit in mailboxes.keywords(tx, source).items() if bit & used]
    there = [(bit, bits_for(tx, target, (name,))) for bit, name in names]
    return [Flags(sum((to for bit, to in there if each & bit), each & 31)) for each in flags]


def _message_row(each: NewMessage) -> tuple[Any, ...]:
    row = _row(each.mailbox, each.message, each.internal_date, each)
    other = each.surrogate
    return (*row, 0, None, None) if other is None else (*row, int(other.requires), other.message, other.size)


def _surrogate_row(each: NewMessage, other: NewSurrogate) -> tuple[Any, ...]:
    return (*_row(each.mailbox, other.message, each.internal_date, other), 0, None, None)


def _row(key: MailboxKey, id_: MessageId, internal_date: Millis, its: NewMessage | NewSurrogate) -> tuple[Any, ...]:
    s = its.structure
    return (
        key.account,
        id_,
        its.blob,
        its.prefix,
        its.size,
        its.size if its.crlf_size is None else its.crlf_size,
        internal_date,
        s.sent_date,
        hash_of(s.message_id),
        s.header_octets,
        int(s.begins_with_field),
        s.envelope,
        s.body,
        s.body_structure,
        s.parts,
        s.header_cache,
    )


def count(tx: Transaction, key: MailboxKey) -> tuple[int, int, int]:
    """Messages, unseen and octets (of the larger form) as counted: what the counters must equal."""
    unseen = 1 - mailbox_message.c.flags.bitwise_and(SEEN)
    size, other = message.c.size, message.c.surrogate_size
    octets = case((other > size, other), else_=size)
    row = tx.execute(
        select(func.count(), func.coalesce(func.sum(unseen), 0), func.coalesce(func.sum(octets), 0))
        .join_from(
            mailbox_message,
            message,
            (message.c.account_id == mailbox_message.c.account_id) & (message.c.id == mailbox_message.c.message_id),
        )
        .where(mailbox_message.c.account_id == key.account, mailbox_message.c.mailbox_id == key.id)
    ).one()
    messages, not_seen, total = row  # type: ignore[misc]  # columns of a Table have no types
    return int(messages), int(not_seen), int(total)
