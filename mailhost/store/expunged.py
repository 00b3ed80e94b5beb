"""Expunged messages, when their time to be undeleted is over."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, select

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import AccountId, BlobId, MessageId, Millis, Uid
from mailhost.store.tables import expunged_message, mailbox_message, message
from mailhost.store.values import MailboxKey


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many messages went for good, and what octets they had: others may have them still."""

    count: int
    blobs: tuple[BlobId, ...]


@long
def forget(tx: Transaction, before: Millis, most: int) -> int:
    """Let go of up to `most` messages expunged before a moment, with their content where no other mailbox has it."""
    return _forget(tx, expunged_message.c.at < before, most).count


@long
def forget_of(tx: Transaction, account: AccountId, most: int) -> Forgotten:
    """The same for all that was expunged in an account, at whatever time."""
    return _forget(tx, expunged_message.c.account_id == account, most)


def _forget(tx: Transaction, which: ColumnElement[bool], most: int) -> Forgotten:
    rows = tx.execute(select(expunged_message).where(which).limit(most)).all()
    places: dict[MailboxKey, list[Uid]] = defaultdict(list)
    contents: dict[AccountId, list[MessageId]] = defaultdict(list)
    for row in rows:
        places[MailboxKey(row.account_id, row.mailbox_id)].append(row.uid)
        contents[row.account_id].append(row.message_id)
    for key, uids in places.items():
        here = expunged_message.c.account_id == key.account, expunged_message.c.mailbox_id == key.id
        tx.execute(delete(expunged_message).where(*here, one_of(expunged_message.c.uid, uids)))
    blobs = [each for account, ids in contents.items() for each in _forget_contents(tx, account, ids)]
    return Forgotten(len(rows), tuple(blobs))


def blobs_in_use() -> Select[Any]:
    """Blobs of messages that are in a mailbox, or were expunged and may come back."""
    return select(message.c.blob_id)


def _forget_contents(tx: Transaction, account: AccountId, ids: Sequence[MessageId]) -> list[BlobId]:
    """Answers with the blobs that these had."""
    placed = [
        select(table.c.message_id).where(table.c.account_id == account, one_of(table.c.message_id, ids))
        for table in (mailbox_message, expunged_message)
    ]
    its = message.c.account_id == account
    dead = its, one_of(message.c.id, ids), *(message.c.id.not_in(each) for each in placed)
    rows = tx.execute(select(message.c.blob_id, message.c.surrogate_id).where(*dead)).all()
    blobs = [row.blob_id for row in rows]
    surrogates = [row.surrogate_id for row in rows if row.surrogate_id is not None]
    tx.execute(delete(message).where(*dead))
    if surrogates:
        theirs = its, one_of(message.c.id, surrogates)
        blobs += tx.execute(select(message.c.blob_id).where(*theirs)).scalars()
        tx.execute(delete(message).where(*theirs))
    return blobs
