"""Mailboxes: made, found, renamed, deleted; and the counters that each change of one moves (RFC 3501 section 2.3.1)."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Executable,
    Select,
    Text,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy import bindparam as bind
from sqlalchemy.exc import IntegrityError

from mailhost.database.hot import Hot
from mailhost.database.marks import long, long_by, one_statement
from mailhost.database.transaction import Transaction
from mailhost.database.types import array_of, pairs
from mailhost.ids import AccountId, MailboxId, Millis, ModSeq, Uid, UidValidity
from mailhost.store import subscriptions
from mailhost.store.changes import Expunged, Removed
from mailhost.store.errors import (
    MailboxExists,
    MailboxHasChildren,
    MailboxMissing,
    MailboxProtected,
    TooManyMailboxes,
)
from mailhost.store.names import INBOX, SEPARATOR, canonical, composed, valid
from mailhost.store.tables import expunged_message, keyword, mailbox, mailbox_message
from mailhost.store.values import Flags, Mailbox, MailboxKey, SpecialUse

FIRST_MAILBOXES: tuple[tuple[str, SpecialUse | None], ...] = (
    (INBOX, None),
    ("Sent", SpecialUse.SENT),
    ("Drafts", SpecialUse.DRAFTS),
    ("Trash", SpecialUse.TRASH),
    ("Junk", SpecialUse.JUNK),
    ("Archive", SpecialUse.ARCHIVE),
)
"""What every account has from its creation: clients that find none of a role make their own, under names of their language."""


@dataclass(frozen=True, slots=True)
class Counters:
    """How much one operation moves a mailbox."""

    uids: int = 0
    mod_seqs: int = 1
    messages: int = 0
    unseen: int = 0
    octets: int = 0


@dataclass(frozen=True, slots=True)
class Locked:
    """A mailbox as it was when its row was taken, before this operation."""

    key: MailboxKey
    uid_validity: UidValidity
    uid_next: Uid
    highest_mod_seq: ModSeq


MOVE = Hot(
    update(mailbox)
    .where(mailbox.c.account_id == bind("account"), mailbox.c.id == bind("mailbox"))
    .values(
        uid_next=mailbox.c.uid_next + bind("uids"),
        highest_mod_seq=mailbox.c.highest_mod_seq + bind("mod_seqs"),
        messages=mailbox.c.messages + bind("more"),
        unseen=mailbox.c.unseen + bind("more_unseen"),
        octets=mailbox.c.octets + bind("more_octets"),
    ),
    "account",
    "mailbox",
    "uids",
    "mod_seqs",
    "more",
    "more_unseen",
    "more_octets",
)


FIND = Hot(
    select(mailbox)
    .where(mailbox.c.account_id == bind("account"), mailbox.c.name.in_([bind("name"), bind("composed")]))
    .order_by(case((mailbox.c.name == bind("name"), 0), else_=1))
    .limit(1),
    "account",
    "name",
    "composed",
)
"""As it is written; else in the one form that new names are kept in."""
GET = Hot(select(mailbox).where(mailbox.c.account_id == bind("account"), mailbox.c.id == bind("id")), "account", "id")
KEYWORDS = Hot(
    select(keyword.c.bit, keyword.c.name)
    .where(keyword.c.account_id == bind("account"), keyword.c.mailbox_id == bind("mailbox"))
    .order_by(keyword.c.bit),
    "account",
    "mailbox",
)
WANTED = pairs(bind("keys", type_=Text))
IS_WANTED = (mailbox.c.account_id == WANTED.c.first) & (mailbox.c.id == WANTED.c.second)
_LOCKED = [mailbox.c[name] for name in ("account_id", "id", "uid_validity", "uid_next", "highest_mod_seq")]
LOCK_ONE = Hot(
    select(*_LOCKED).where(mailbox.c.account_id == bind("account"), mailbox.c.id == bind("id")).with_for_update(),
    "account",
    "id",
)
LOCK = Hot(
    select(*_LOCKED).join_from(WANTED, mailbox, IS_WANTED).order_by(mailbox.c.id).with_for_update(of=mailbox), "keys"
)
RENAME = (
    update(mailbox)
    .where(mailbox.c.account_id == bind("account"), mailbox.c.id == bind("mailbox"))
    .values(name=bind("new"))
)
VERSIONS = select(mailbox.c.id, mailbox.c.highest_mod_seq).join_from(WANTED, mailbox, IS_WANTED)
"""Each row is found by its whole key, account first: an id alone has no index."""


def lock(tx: Transaction, keys: Collection[MailboxKey]) -> dict[MailboxId, Locked]:
    """Take the rows of some mailboxes by ascending id, so that two nodes never wait for each other. Missing ones are left out."""
    pairs = {(key.account, key.id) for key in keys}
    rows = tx.rows(LOCK_ONE, *pairs) if len(pairs) == 1 else tx.rows(LOCK, (array_of(pairs),))
    return {
        id_: Locked(MailboxKey(account, id_), uid_validity, uid_next, highest_mod_seq)
        for account, id_, uid_validity, uid_next, highest_mod_seq in rows
    }


def lock_one(tx: Transaction, key: MailboxKey) -> Locked:
    try:
        return lock(tx, [key])[key.id]
    except KeyError:
        raise MailboxMissing from None


def move_counters(tx: Transaction, moves: Sequence[tuple[MailboxKey, Counters]]) -> None:
    """One UPDATE a mailbox, whatever the number of messages."""
    tx.many(MOVE, [(key.account, key.id, c.uids, c.mod_seqs, c.messages, c.unseen, c.octets) for key, c in moves])


@one_statement
def find(tx: Transaction, account: AccountId, name: str) -> Mailbox:
    """The mailbox of this name; `INBOX` in any case is one mailbox (RFC 3501 section 5.1)."""
    name = canonical(name)
    if "\0" in name:  # PostgreSQL takes none
        raise MailboxMissing
    return _one(tx.found(FIND, account, name, composed(name)))


@one_statement
def get(tx: Transaction, key: MailboxKey) -> Mailbox:
    return _one(tx.found(GET, key.account, key.id))


@one_statement
def list_all(tx: Transaction, account: AccountId) -> list[Mailbox]:
    """All mailboxes of an account, INBOX first, then by name."""
    rows = tx.execute(select(mailbox).where(mailbox.c.account_id == account).order_by(mailbox.c.name))
    return sorted((_value(row) for row in rows), key=lambda each: (each.name != INBOX, each.name))


@long_by(lambda _, rows: rows)
def list_with_subscriptions(tx: Transaction, account: AccountId, _: int) -> tuple[list[Mailbox], list[str]]:
    """All mailboxes, and all names that are subscribed to, as at one moment; `count_listed` tells how many rows these are."""
    return list_all(tx, account), subscriptions.names(tx, account)


def count_listed(tx: Transaction, account: AccountId) -> int:
    return count(tx, account) + subscriptions.count(tx, account)


@one_statement
def count(tx: Transaction, account: AccountId) -> int:
    found: int = tx.execute(
        select(func.count()).select_from(mailbox).where(mailbox.c.account_id == account)
    ).scalar_one()
    return found


def known(tx: Transaction, account: AccountId, names: Collection[str]) -> set[str]:
    """Those of a few names that are mailboxes."""
    wanted = mailbox.c.account_id == account, mailbox.c.name.in_(names)
    return set(tx.execute(select(mailbox.c.name).where(*wanted)).scalars())


def existing(tx: Transaction, account: AccountId, name: str) -> str:
    """A name that LIST tells, as it is kept: of a mailbox, or one that others stand under. Raises `MailboxMissing`."""
    try:
        return find(tx, account, name).name
    except MailboxMissing:
        for spelt in dict.fromkeys((canonical(name), composed(canonical(name)))):
            if "\0" not in spelt and has_children(tx, account, spelt):
                return spelt
        raise


def has_children(tx: Transaction, account: AccountId, name: str) -> bool:
    return tx.execute(_under(account, name).limit(1)).one_or_none() is not None


def _under(account: AccountId, name: str) -> Select[tuple[str, int]]:
    """Compared by characters: an engine's order of letters, or its LIKE, may take two for one."""
    prefix = name + SEPARATOR
    return select(mailbox.c.name, mailbox.c.id).where(
        mailbox.c.account_id == account, func.substr(mailbox.c.name, 1, len(prefix)) == prefix
    )


@one_statement
def versions(tx: Transaction, keys: Sequence[MailboxKey]) -> dict[MailboxId, ModSeq]:
    """The mod-sequence of each mailbox: whether a copy of it is still true. Missing ones are left out."""
    rows = tx.execute(VERSIONS, {"keys": array_of((key.account, key.id) for key in keys)})
    return {row.id: row.highest_mod_seq for row in rows}


def create(
    tx: Transaction,
    account: AccountId,
    id_: MailboxId,
    name: str,
    uid_validity: UidValidity,
    use: SpecialUse | None = None,
    *,
    subscribed: bool = True,
) -> Mailbox:
    """Make a mailbox. `uid_validity` comes from the account, which never gives one twice (RFC 3501 section 2.3.1.1)."""
    name = valid(name)
    if tx.execute(select(mailbox.c.id).where(mailbox.c.account_id == account, mailbox.c.name == name)).one_or_none():
        raise MailboxExists
    made = Mailbox(id_, account, name, uid_validity, Uid(1), ModSeq(1), Uid(1), 0, 0, 0, use)
    _unless_taken(
        tx,
        insert(mailbox).values(
            account_id=account,
            id=id_,
            name=name,
            uid_validity=uid_validity,
            uid_next=1,
            highest_mod_seq=1,
            recent_uid=1,
            special_use=use and str(use),
            messages=0,
            unseen=0,
            octets=0,
        ),
    )
    if subscribed:
        subscriptions.add(tx, account, name)
    return made


@long
def rename(tx: Transaction, account: AccountId, old: str, new: str) -> None:
    """Give a mailbox, and those under it, another name; subscriptions go with them. INBOX is another matter: see `empty_into`."""
    new, name = valid(new), existing(tx, account, old)
    if INBOX in (name, new) or new.startswith(name + SEPARATOR):
        raise MailboxProtected
    ids = {row.name: row.id for row in tx.execute(_under(account, name))}
    own = tx.execute(
        select(mailbox.c.id).where(mailbox.c.account_id == account, mailbox.c.name == name)
    ).scalar_one_or_none()
    targets = {each: valid(new + each[len(name) :]) for each in sorted({name, *ids})}
    taken = known(tx, account, [new]) | set(
        tx.execute(_under(account, new).with_only_columns(mailbox.c.name)).scalars()
    )
    if new == name or not taken.difference(targets).isdisjoint(targets.values()):
        raise MailboxExists
    if own is not None:
        ids[name] = own
    moved = [
        {"account": account, "mailbox": ids[each], "new": target} for each, target in targets.items() if each in ids
    ]
    _unless_taken(tx, RENAME, moved)  # in this order: a/b may become a, and a/b/b then a/b
    subscriptions.rename(tx, account, targets.items())


@long
def remove(tx: Transaction, account: AccountId, name: str, now: Millis) -> None:
    """Delete a mailbox; its messages rest where expunged ones do, until the sweeper comes (RFC 3501 section 6.3.4).

    Mailboxes under it stay, and so does its name above them: it cannot be selected or deleted any more.
    """
    try:
        found = find(tx, account, name)
    except MailboxMissing:
        existing(tx, account, name)
        raise MailboxHasChildren from None
    if found.name == INBOX:
        raise MailboxProtected
    key = MailboxKey(account, found.id)
    locked = lock_one(tx, key)
    bury_all(tx, key, ModSeq(locked.highest_mod_seq + 1), now)
    for table in (keyword, mailbox):
        column = table.c.id if table is mailbox else table.c.mailbox_id
        tx.execute(delete(table).where(table.c.account_id == account, column == found.id))
    tx.announce(Removed(key))


@long
def empty_into(
    tx: Transaction, account: AccountId, id_: MailboxId, name: str, uid_validity: UidValidity, now: Millis
) -> Mailbox:
    """RENAME of INBOX: all its messages go to a new mailbox, and INBOX is empty (RFC 3501 section 6.3.5).

    They keep their UIDs, flags and keywords. Mailboxes under INBOX stay where they are.
    """
    inbox = find(tx, account, INBOX)
    key = MailboxKey(account, inbox.id)
    locked = lock_one(tx, key)
    made = create(tx, account, id_, name, uid_validity)
    first = ModSeq(made.highest_mod_seq + 1)
    _copy_all(tx, key, MailboxKey(account, id_), first, now)
    uids = tx.execute(select(mailbox_message.c.uid).where(*_in(key)).order_by(mailbox_message.c.uid)).scalars().all()
    mod_seq = ModSeq(locked.highest_mod_seq + 1)
    bury_all(tx, key, mod_seq, now)
    inbox = get(tx, key)
    counters = Counters(inbox.uid_next - 1, 1, inbox.messages, inbox.unseen, inbox.octets)
    emptied = Counters(0, 1, -inbox.messages, -inbox.unseen, -inbox.octets)
    move_counters(tx, sorted([(key, emptied), (MailboxKey(account, id_), counters)], key=lambda move: move[0].id))
    tx.announce(Expunged(key, locked.highest_mod_seq, mod_seq, tuple(uids)))
    return get(tx, MailboxKey(account, id_))


def _copy_all(tx: Transaction, source: MailboxKey, target: MailboxKey, mod_seq: ModSeq, now: Millis) -> None:
    """Each message and each keyword, under the same numbers."""
    kept = mailbox_message.c
    tx.execute(
        insert(mailbox_message).from_select(
            ["account_id", "mailbox_id", "uid", "message_id", "flags", "mod_seq", "saved_at"],
            select(
                kept.account_id,
                _number("target", target.id),
                kept.uid,
                kept.message_id,
                kept.flags,
                _number("mod_seq", mod_seq),
                _number("now", now),
            ).where(*_in(source)),
        )
    )
    tx.execute(
        insert(keyword).from_select(
            ["account_id", "mailbox_id", "bit", "name"],
            select(keyword.c.account_id, _number("target", target.id), keyword.c.bit, keyword.c.name).where(
                keyword.c.account_id == source.account, keyword.c.mailbox_id == source.id
            ),
        )
    )


def bury_all(tx: Transaction, key: MailboxKey, mod_seq: ModSeq, now: Millis) -> None:
    """Every message leaves the mailbox, and rests until the sweeper comes."""
    bury(tx, _in(key), mod_seq, now)


def bury(tx: Transaction, places: Sequence[Any], mod_seq: ModSeq, now: Millis) -> None:
    columns = [mailbox_message.c[name] for name in ("account_id", "mailbox_id", "uid", "message_id")]
    tx.execute(
        insert(expunged_message).from_select(
            ["account_id", "mailbox_id", "uid", "message_id", "mod_seq", "at"],
            select(*columns, _number("mod_seq", mod_seq), _number("now", now)).where(*places),
        )
    )
    tx.execute(delete(mailbox_message).where(*places))


def subscribe(tx: Transaction, account: AccountId, name: str, most: int) -> None:
    """Only to what LIST tells (RFC 3501 section 6.3.6 allows it). Raises `MailboxMissing`, `TooManyMailboxes`."""
    name = existing(tx, account, name)
    if not may_subscribe(tx, account, most) and name not in subscriptions.names(tx, account):
        raise TooManyMailboxes
    subscriptions.add(tx, account, name)


def unsubscribe(tx: Transaction, account: AccountId, name: str) -> None:
    """Raises `MailboxMissing` for a name that was neither subscribed to nor is there."""
    name = canonical(name)
    spellings = dict.fromkeys((name, composed(name)))
    if "\0" in name or not sum(subscriptions.remove(tx, account, each) for each in spellings):
        existing(tx, account, name)


def may_subscribe(tx: Transaction, account: AccountId, most: int) -> bool:
    """Names stay on the list when their mailbox is gone: it may be twice as long as that of the mailboxes."""
    return subscriptions.count(tx, account) < 2 * most


def claim_recent(tx: Transaction, key: MailboxKey) -> Uid:
    """A read-write SELECT: messages from the answered UID on are recent to this session, and to no later one."""
    here = mailbox.c.account_id == key.account, mailbox.c.id == key.id
    recent = tx.execute(select(mailbox.c.recent_uid).where(*here).with_for_update()).scalar_one_or_none()
    if recent is None:
        raise MailboxMissing
    tx.execute(
        update(mailbox).where(*here, mailbox.c.recent_uid < mailbox.c.uid_next).values(recent_uid=mailbox.c.uid_next)
    )
    return Uid(recent)


def claim_recent_below(tx: Transaction, key: MailboxKey, uid: Uid) -> None:
    """Messages below `uid` have been recent to a session, and will be to no later one."""
    here = mailbox.c.account_id == key.account, mailbox.c.id == key.id
    tx.execute(update(mailbox).where(*here, mailbox.c.recent_uid < uid).values(recent_uid=uid))


@one_statement
def count_recent(tx: Transaction, key: MailboxKey, recent_uid: Uid) -> int:
    """Messages from `recent_uid` on: what STATUS tells as RECENT."""
    here = mailbox_message.c.account_id == key.account, mailbox_message.c.mailbox_id == key.id
    count: int = tx.execute(select(func.count()).where(*here, mailbox_message.c.uid >= recent_uid)).scalar_one()
    return count


@one_statement
def keywords(tx: Transaction, key: MailboxKey) -> dict[str, Flags]:
    """The keywords that a mailbox knows, each with its bit."""
    return {row.name: Flags(1 << row.bit) for row in tx.found(KEYWORDS, key.account, key.id)}


def _unless_taken(tx: Transaction, statement: Executable, parameters: Any = None) -> None:
    """Another node may have taken the name since we looked."""
    try:
        tx.execute(statement, parameters)
    except IntegrityError as taken:
        raise MailboxExists from taken


def _in(key: MailboxKey) -> tuple[ColumnElement[bool], ...]:
    return mailbox_message.c.account_id == key.account, mailbox_message.c.mailbox_id == key.id


def _number(name: str, value: int) -> ColumnElement[int]:
    """A constant among selected columns; PostgreSQL wants to know its type."""
    return bind(name, value, BigInteger)


def _one(rows: Sequence[Any]) -> Mailbox:
    """Raises `MailboxMissing`."""
    if not rows:
        raise MailboxMissing
    return _value(rows[0])


def _value(row: Any) -> Mailbox:
    return Mailbox(
        row.id,
        row.account_id,
        row.name,
        row.uid_validity,
        row.uid_next,
        row.highest_mod_seq,
        row.recent_uid,
        row.messages,
        row.unseen,
        row.octets,
        SpecialUse(row.special_use) if row.special_use else None,
    )
