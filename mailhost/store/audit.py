"""What must be true of the store's rows. Each question answers with one sentence for each row of which it is not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, and_, exists, func, or_, select, union

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, BlobId, MessageId, Uid, text_of
from mailhost.message.form import Form
from mailhost.store import mailboxes, messages
from mailhost.store.tables import blob, expunged_message, mailbox, mailbox_message, message
from mailhost.store.values import Located, MailboxKey

MOST = 1000
"""Findings of one question: a broken disk breaks everything, and nobody reads a million lines."""

PLACES = {"is in the mailbox": mailbox_message, "was expunged": expunged_message}
COUNTED = ("messages", "unseen", "octets")


@long
def accounts(tx: Transaction) -> list[AccountId]:
    """Whose rows there are, with or without mailboxes."""
    every = union(*(select(table.c.account_id) for table in (mailbox, message, *PLACES.values())))
    return sorted(tx.execute(every).scalars())


@long
def counters(tx: Transaction, account: AccountId) -> list[str]:
    """What STATUS tells is what is counted."""
    findings = []
    for kept in mailboxes.list_all(tx, account):
        counted = messages.count(tx, MailboxKey(account, kept.id))
        findings += [
            f"mailbox {text_of(kept.id)} ({kept.name}) says {getattr(kept, name)} {name}, and has {number}"
            for name, number in zip(COUNTED, counted, strict=True)
            if getattr(kept, name) != number
        ]
    return findings


@long
def uids(tx: Transaction, account: AccountId) -> list[str]:
    """A UID is below UIDNEXT, and names one message for ever (RFC 3501 section 2.3.1.1)."""
    findings = []
    for what, places in PLACES.items():
        beyond = _in_mailbox(account, places).where(places.c.uid >= mailbox.c.uid_next)
        findings += [f"{_place(row)} {what}, though UIDNEXT is {row.uid_next}" for row in _some(tx, beyond)]
    recent = select(mailbox).where(mailbox.c.account_id == account, mailbox.c.recent_uid > mailbox.c.uid_next)
    findings += [
        f"mailbox {text_of(row.id)} has recent UIDs from {row.recent_uid} on, though UIDNEXT is {row.uid_next}"
        for row in _some(tx, recent)
    ]
    return findings + [f"{_place(row)} was expunged, and is in the mailbox" for row in _some(tx, _used_twice(account))]


@long
def mod_sequences(tx: Transaction, account: AccountId) -> list[str]:
    """No change is newer than its mailbox (RFC 7162 section 3.1.1)."""
    findings = []
    for places in PLACES.values():
        newer = _in_mailbox(account, places).where(places.c.mod_seq > mailbox.c.highest_mod_seq)
        findings += [
            f"{_place(row)} has mod-sequence {row.mod_seq}, its mailbox {row.highest_mod_seq}"
            for row in _some(tx, newer)
        ]
    return findings


@long
def wholeness(tx: Transaction, account: AccountId) -> list[str]:
    """A place has a mailbox and a message, a message has a place (or is a surrogate) and a blob, and its size is what will be served."""
    return [
        *(f"{_place(row)} is in no mailbox that exists" for row in _some(tx, _without_mailbox(account))),
        *(
            f"{_place(row)} {what}, and its message {text_of(row.message_id)} is missing"
            for what, places in PLACES.items()
            for row in _some(tx, _without_message(account, places))
        ),
        *(
            f"message {text_of(row.id)} is in no mailbox and was never expunged"
            for row in _some(tx, _unplaced(account))
        ),
        *(
            f"message {text_of(row.id)} has lost its octets: blob {text_of(row.blob_id)} is missing"
            for row in _some(tx, _without_blob(account))
        ),
        *(
            f"message {text_of(row.id)} says {row.size} octets, prefix and blob have {row.octets}"
            for row in _some(tx, _of_other_size(account))
        ),
    ]


@long
def surrogates(tx: Transaction, account: AccountId) -> list[str]:
    """Where a message requires more than plain mail there is a surrogate, and only there; it is a message of its own."""
    other = message.alias("other")
    found = other.c.account_id == message.c.account_id, other.c.id == message.c.surrogate_id
    here = message.c.account_id == account
    needy = (message.c.requires != 0) != message.c.surrogate_id.is_not(None)
    lost = message.c.surrogate_id.is_not(None), ~exists().where(*found)
    sized = select(message.c.id, message.c.surrogate_size, other.c.size).join_from(message, other, and_(*found))
    differs = or_(message.c.surrogate_size.is_(None), message.c.surrogate_size != other.c.size)
    chained = or_(other.c.surrogate_id.is_not(None), other.c.requires != 0)
    placed = exists().where(
        mailbox_message.c.account_id == account, mailbox_message.c.message_id == message.c.surrogate_id
    )
    questions = {
        "requires more than plain mail or has a surrogate, not both": select(message.c.id).where(here, needy),
        "has lost its surrogate": select(message.c.id).where(here, *lost),
        "says another size of its surrogate": sized.where(here, differs),
        "has a surrogate that needs one itself": sized.where(here, chained),
        "has a surrogate that is in a mailbox itself": select(message.c.id).where(here, placed),
    }
    return [f"message {text_of(row.id)} {what}" for what, asked in questions.items() for row in _some(tx, asked)]


@dataclass(frozen=True, slots=True)
class Surrogate:
    """A surrogate as the row of its message names it."""

    account: AccountId
    id: MessageId
    requires: Form
    of: BlobId
    """The octets of the message itself: the same where only its prefix needs another form."""


@long
def surrogate_page(tx: Transaction, account: AccountId, after: MessageId, most: int) -> list[Surrogate]:
    """Some of an account's surrogates, ascending."""
    its = message.c.surrogate_id
    columns = message.c.requires, message.c.blob_id, its
    page = select(*columns).where(message.c.account_id == account, its > after).order_by(its).limit(most)
    return [Surrogate(account, row.surrogate_id, Form(row.requires), row.blob_id) for row in tx.execute(page)]


@dataclass(frozen=True, slots=True)
class Kept:
    """What a row of table `message` says of its octets."""

    located: Located
    structure: Mapping[str, object]


FOUND_BY_SCAN = ("header_octets", "begins_with_field", "envelope", "body", "body_structure", "parts", "header_cache")


def kept(tx: Transaction, account: AccountId, id_: MessageId) -> Kept | None:
    row = tx.execute(select(message).where(message.c.account_id == account, message.c.id == id_)).one_or_none()
    if row is None:
        return None
    located = Located(
        Uid(0),
        row.blob_id,
        row.prefix,
        row.size,
        row.header_octets,
        bool(row.begins_with_field),
        row.parts,
        row.header_cache,
    )
    return Kept(located, {name: getattr(row, name) for name in FOUND_BY_SCAN})


@long
def missing_blobs(tx: Transaction, needed: Select[Any]) -> list[str]:
    """Which blobs of a `Select` of ids have no row."""
    wanted = needed.subquery()
    (column,) = wanted.c
    absent = select(column.label("id")).distinct().where(~exists().where(blob.c.id == column))
    return [f"blob {text_of(row.id)} is waited for, and missing" for row in _some(tx, absent)]


@long
def misplaced(tx: Transaction, claims: Select[Any]) -> list[str]:
    """Of `claims` (account_id, mailbox_id, uid, blob_id, recipient): those whose UID names another message, or none yet."""
    findings = []
    claimed = claims.subquery()
    beyond = select(claimed, mailbox.c.uid_next).where(
        mailbox.c.account_id == claimed.c.account_id,
        mailbox.c.id == claimed.c.mailbox_id,
        claimed.c.uid >= mailbox.c.uid_next,
    )
    findings += [
        f"{_place(row)} was given to a message for {row.recipient}, though UIDNEXT is {row.uid_next}"
        for row in _some(tx, beyond)
    ]
    for places in PLACES.values():
        other = select(claimed).where(
            places.c.account_id == claimed.c.account_id,
            places.c.mailbox_id == claimed.c.mailbox_id,
            places.c.uid == claimed.c.uid,
            message.c.account_id == places.c.account_id,
            message.c.id == places.c.message_id,
            message.c.blob_id != claimed.c.blob_id,
        )
        findings += [
            f"{_place(row)} is another message than the one accepted for {row.recipient}" for row in _some(tx, other)
        ]
    return findings


@long
def blob_ids(tx: Transaction, after: BlobId, most: int) -> list[BlobId]:
    """A page of all blobs, ascending."""
    return list(tx.execute(select(blob.c.id).where(blob.c.id > after).order_by(blob.c.id).limit(most)).scalars())


def _in_mailbox(account: AccountId, places: Any) -> Select[Any]:
    """Places with the mailbox they are in."""
    bounds = mailbox.c.uid_next, mailbox.c.highest_mod_seq
    return (
        select(places.c.mailbox_id, places.c.uid, places.c.mod_seq, *bounds)
        .join_from(
            places, mailbox, (mailbox.c.account_id == places.c.account_id) & (mailbox.c.id == places.c.mailbox_id)
        )
        .where(places.c.account_id == account)
    )


def _used_twice(account: AccountId) -> Select[Any]:
    here, gone = mailbox_message.c, expunged_message.c
    return select(here.mailbox_id, here.uid).where(
        here.account_id == account,
        gone.account_id == here.account_id,
        gone.mailbox_id == here.mailbox_id,
        gone.uid == here.uid,
    )


def _without_mailbox(account: AccountId) -> Select[Any]:
    here = mailbox_message.c
    found = exists().where(mailbox.c.account_id == here.account_id, mailbox.c.id == here.mailbox_id)
    return select(here.mailbox_id, here.uid).where(here.account_id == account, ~found)


def _without_message(account: AccountId, places: Any) -> Select[Any]:
    found = exists().where(message.c.account_id == places.c.account_id, message.c.id == places.c.message_id)
    return select(places.c.mailbox_id, places.c.uid, places.c.message_id).where(places.c.account_id == account, ~found)


def _unplaced(account: AccountId) -> Select[Any]:
    """By sets: neither table of places can be searched by message."""
    placed = [
        message.c.id.not_in(select(places.c.message_id).where(places.c.account_id == account))
        for places in PLACES.values()
    ]
    named = select(message.c.surrogate_id).where(message.c.account_id == account, message.c.surrogate_id.is_not(None))
    return select(message.c.id).where(message.c.account_id == account, *placed, message.c.id.not_in(named))


def _without_blob(account: AccountId) -> Select[Any]:
    return select(message.c.id, message.c.blob_id).where(
        message.c.account_id == account, ~exists().where(blob.c.id == message.c.blob_id)
    )


def _of_other_size(account: AccountId) -> Select[Any]:
    octets = func.length(message.c.prefix) + blob.c.size
    return (
        select(message.c.id, message.c.size, octets.label("octets"))
        .join_from(message, blob, blob.c.id == message.c.blob_id)
        .where(message.c.account_id == account, message.c.size != octets)
    )


def _some(tx: Transaction, statement: Select[Any]) -> list[Row[Any]]:
    return list(tx.execute(statement.limit(MOST)))


def _place(row: Row[Any]) -> str:
    return f"UID {row.uid} of mailbox {text_of(row.mailbox_id)}"
