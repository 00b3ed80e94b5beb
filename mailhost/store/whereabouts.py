"""Is a message where it was put? What a trace says at its end, from the store itself."""

from dataclasses import dataclass

from sqlalchemy import select

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.ids import Millis, Uid
from mailhost.store import mailboxes
from mailhost.store.errors import MailboxMissing
from mailhost.store.tables import expunged_message, mailbox_message
from mailhost.store.values import SYSTEM_FLAGS, MailboxKey


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """A message at one place, as it is now."""

    mailbox: str | None
    """The mailbox's name now; None when it is no more."""
    is_there: bool
    flags: tuple[str, ...] = ()
    expunged_at: Millis | None = None
    """While it could be undeleted; None for one that is there, or of which nothing is known any more."""


@long
def elsewhere(tx: Transaction, key: MailboxKey, uid: Uid) -> list[tuple[MailboxKey, Uid]]:
    """Where the same message is in the account, for one that has left its mailbox and could still be undeleted."""
    gone = select(expunged_message.c.message_id).where(
        expunged_message.c.account_id == key.account,
        expunged_message.c.mailbox_id == key.id,
        expunged_message.c.uid == uid,
    )
    places = select(mailbox_message.c.mailbox_id, mailbox_message.c.uid).where(
        mailbox_message.c.account_id == key.account, mailbox_message.c.message_id.in_(gone)
    )
    return [(MailboxKey(key.account, row.mailbox_id), row.uid) for row in tx.execute(places)]


def whereabouts(tx: Transaction, key: MailboxKey, uid: Uid) -> Whereabouts:
    try:
        name = mailboxes.get(tx, key).name
    except MailboxMissing:
        return Whereabouts(None, is_there=False)
    flags = tx.execute(
        select(mailbox_message.c.flags).where(
            mailbox_message.c.account_id == key.account,
            mailbox_message.c.mailbox_id == key.id,
            mailbox_message.c.uid == uid,
        )
    ).scalar_one_or_none()
    if flags is not None:
        named = SYSTEM_FLAGS | mailboxes.keywords(tx, key)
        return Whereabouts(name, is_there=True, flags=tuple(each for each, bit in named.items() if flags & bit))
    at = tx.execute(
        select(expunged_message.c.at).where(
            expunged_message.c.account_id == key.account,
            expunged_message.c.mailbox_id == key.id,
            expunged_message.c.uid == uid,
        )
    ).scalar_one_or_none()
    return Whereabouts(name, is_there=False, expunged_at=at)
