"""CREATE: make a mailbox, and those above it (RFC 3501 section 6.3.3)."""

from collections.abc import Sequence

from mailhost.conversation.command import Command
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, MailboxId, Millis, fresh, now
from mailhost.imap.commands.list import superiors
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.store import mailboxes
from mailhost.store.errors import MailboxNameInvalid
from mailhost.store.mailboxes import DEEPEST_NAME, SEPARATOR
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
    await session.services.database.write(create, session.account, fresh_ids(name), name, now())
    return ok("CREATE completed")


def fresh_ids(name: str) -> list[MailboxId]:
    """For a mailbox and those above it; made before the operation, which may run twice."""
    return [MailboxId(fresh()) for _ in range(min(name.count(SEPARATOR), DEEPEST_NAME) + 1)]


def create(tx: Transaction, account: AccountId, ids: Sequence[MailboxId], name: str, at: Millis) -> Mailbox:
    """Raises `MailboxExists`, `MailboxNameInvalid`."""
    name = mailboxes.valid(name)
    create_superiors(tx, account, ids, name, at)
    return mailboxes.create(tx, account, ids[-1], name, accounts.next_uid_validity(tx, account, at))


def create_superiors(tx: Transaction, account: AccountId, ids: Sequence[MailboxId], name: str, at: Millis) -> None:
    """The mailboxes above a name, those that are missing."""
    known = {each.name for each in mailboxes.list_all(tx, account)}
    missing = [each for each in superiors(name) if each not in known]
    if len(missing) >= len(ids):
        raise MailboxNameInvalid
    for id_, each in zip(ids, missing, strict=False):
        mailboxes.create(tx, account, id_, each, accounts.next_uid_validity(tx, account, at))


COMMAND: Command[IMAPSession, Reader, Status] = Command("CREATE", LOGGED_IN, parse, run, rfc=3501)
