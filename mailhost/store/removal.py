"""All that an account has in the store, taken away: messages some at a time, then the mailboxes themselves."""

from collections import defaultdict
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from mailhost.database.marks import long, one_statement
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, MailboxId, Millis, Uid
from mailhost.store import expunged, mailboxes, messages
from mailhost.store.changes import Removed
from mailhost.store.errors import MailboxMissing
from mailhost.store.expunged import Forgotten
from mailhost.store.tables import expunged_message, keyword, mailbox, mailbox_message, message, subscription
from mailhost.store.values import MailboxKey


@dataclass(frozen=True, slots=True)
class Totals:
    """What the mailboxes of an account hold together."""

    mailboxes: int = 0
    messages: int = 0
    unseen: int = 0
    octets: int = 0


@one_statement
def totals(tx: Transaction) -> dict[AccountId, Totals]:
    """By the counters of the mailboxes, so that a list of all accounts is cheap."""
    sums = [func.sum(mailbox.c[name]).label(name) for name in ("messages", "unseen", "octets")]
    rows = tx.execute(
        select(mailbox.c.account_id, func.count().label("mailboxes"), *sums).group_by(mailbox.c.account_id)
    )
    return {row.account_id: Totals(row.mailboxes, int(row.messages), int(row.unseen), int(row.octets)) for row in rows}


@long
def take_messages(tx: Transaction, account: AccountId, most: int, now: Millis) -> Forgotten:
    """Up to `most` messages leave their mailboxes, and up to `most` that have left them go for good.

    After each of these the store is whole: whoever stops in the midst can go on, and the audit finds nothing.
    """
    here = mailbox_message.c.account_id == account
    places: dict[MailboxId, list[Uid]] = defaultdict(list)
    for row in tx.execute(select(mailbox_message.c.mailbox_id, mailbox_message.c.uid).where(here).limit(most)):
        places[row.mailbox_id].append(row.uid)
    for id_ in sorted(places):
        try:
            messages.expunge(tx, MailboxKey(account, id_), places[id_], now)
        except MailboxMissing:  # a store that is damaged: what it lost keeps nobody's mail here
            tx.execute(delete(mailbox_message).where(here, mailbox_message.c.mailbox_id == id_))
    return expunged.forget_of(tx, account, most)


@long
def take_mailboxes(tx: Transaction, account: AccountId) -> bool:
    """The mailboxes and what belongs to them; not while they hold messages, or their expunged ones rest: then the answer is False."""
    ids = tx.execute(select(mailbox.c.id).where(mailbox.c.account_id == account)).scalars().all()
    keys = [MailboxKey(account, id_) for id_ in ids]
    if keys:
        mailboxes.lock(tx, keys)  # from here on nobody puts anything in
    for table in (mailbox_message, expunged_message):
        if tx.execute(select(table.c.uid).where(table.c.account_id == account).limit(1)).first() is not None:
            return False
    for table in (keyword, subscription, message, mailbox):
        tx.execute(delete(table).where(table.c.account_id == account))
    for key in keys:
        tx.announce(Removed(key))
    return True
