"""Expunged messages, when their time to be undeleted is over."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, delete, select

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import AccountId, MessageId, Millis, Uid
from mailhost.store.tables import expunged_message, mailbox_message, message
from mailhost.store.values import MailboxKey


@long
def forget(tx: Transaction, before: Millis, most: int) -> int:
    """Let go of up to `most` messages expunged before a moment, with their content where no other mailbox has it."""
    rows = tx.execute(select(expunged_message).where(expunged_message.c.at < before).limit(most)).all()
    places: dict[MailboxKey, list[Uid]] = defaultdict(list)
    contents: dict[AccountId, list[MessageId]] = defaultdict(list)
    for row in rows:
        places[MailboxKey(row.account_id, row.mailbox_id)].append(row.uid)
        contents[row.account_id].append(row.message_id)
    for key, uids in places.items():
        here = expunged_message.c.account_id == key.account, expunged_message.c.mailbox_id == key.id
        tx.execute(delete(expunged_message).where(*here, one_of(expunged_message.c.uid, uids)))
    for account, ids in contents.items():
        _forget_contents(tx, account, ids)
    return len(rows)


def blobs_in_use() -> Select[Any]:
    """Blobs of messages that are in a mailbox, or were expunged and may come back."""
    return select(message.c.blob_id)


def _forget_contents(tx: Transaction, account: AccountId, ids: Sequence[MessageId]) -> None:
    placed = [
        select(table.c.message_id).where(table.c.account_id == account, one_of(table.c.message_id, ids))
        for table in (mailbox_message, expunged_message)
    ]
    its = message.c.account_id == account
    dead = its, one_of(message.c.id, ids), *(message.c.id.not_in(each) for each in placed)
    surrogates = list(
        tx.execute(select(message.c.surrogate_id).where(*dead, message.c.surrogate_id.is_not(None))).scalars()
    )
    tx.execute(delete(message).where(*dead))
    if surrogates:
        tx.execute(delete(message).where(its, one_of(message.c.id, surrogates)))
