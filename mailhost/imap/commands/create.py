"""CREATE: make a mailbox, and those above it (RFC 3501 section 6.3.3)."""

from collections.abc import Sequence

from mailhost.conversation.command import Command
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, MailboxId, Millis, fresh, now
from mailhost.imap.grammar import Reader
from mailhost.imap.hierarchy import superiors
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.store import mailboxes
from mailhost.store.errors import MailboxNameInvalid, TooManyMailboxes
from mailhost.store.names import DEEPEST_NAME, SEPARATOR, valid
from mailhost.store.values import Mailbox
from mailhost.users import accounts


def parse(reader: Reader) -> str:
    """Create = "CREATE" SP mailbox"""
    reader.space()
    name = reader.mailbox()
    reader.end()
    return name


async def run(session: IMAPSession, name: str) -> Status:
    """A separator at the end only says that others will stand under it."""
    name = name.removesuffix(SEPARATOR)
    most = session.services.limits.most_mailboxes
    await session.services.database.write(create, session.account, fresh_ids(name), name, now(), most)
    return ok("CREATE completed")


def fresh_ids(name: str) -> list[MailboxId]:
    """For a mailbox and those above it; made before the operation, which may run twice."""
    return [MailboxId(fresh()) for _ in range(min(name.count(SEPARATOR), DEEPEST_NAME) + 1)]


def create(tx: Transaction, account: AccountId, ids: Sequence[MailboxId], name: str, at: Millis, most: int) -> Mailbox:
    """Raises `MailboxExists`, `MailboxNameInvalid`, `TooManyMailboxes`."""
    name = valid(name)
    create_superiors(tx, account, ids, name, at, most, others=1)
    return _create(tx, account, ids[-1], name, at, most)


def create_superiors(
    tx: Transaction, account: AccountId, ids: Sequence[MailboxId], name: str, at: Millis, most: int, others: int = 0
) -> None:
    """The mailboxes above a name, those that are missing; and room for others. Raises `TooManyMailboxes`."""
    above = list(superiors(name))
    known = mailboxes.known(tx, account, above) if above else set()
    missing = [each for each in above if each not in known]
    if len(missing) >= len(ids):
        raise MailboxNameInvalid
    more = len(missing) + others
    if more and mailboxes.count(tx, account) + more > most:
        raise TooManyMailboxes
    for id_, each in zip(ids, missing, strict=False):
        _create(tx, account, id_, each, at, most)


def _create(tx: Transaction, account: AccountId, id_: MailboxId, name: str, at: Millis, most: int) -> Mailbox:
    """Clients show what is subscribed to: what one has made, all shall see."""
    validity = accounts.next_uid_validity(tx, account, at)
    subscribed = mailboxes.may_subscribe(tx, account, most)
    return mailboxes.create(tx, account, id_, name, validity, subscribed=subscribed)


COMMAND: Command[IMAPSession, Reader, Status] = Command("CREATE", LOGGED_IN, parse, run, rfc=3501)
