"""RENAME: give a mailbox, and those under it, another name (RFC 3501 section 6.3.5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.conversation.command import Command
from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, MailboxId, Millis, now
from mailhost.imap.commands.create import create_superiors, fresh_ids
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.store import mailboxes
from mailhost.store.names import INBOX, SEPARATOR, canonical, valid
from mailhost.users import accounts


@dataclass(frozen=True, slots=True)
class Rename:
    old: str
    new: str


def parse(reader: Reader) -> Rename:
    """Rename = "RENAME" SP mailbox SP mailbox"""
    reader.space()
    old = reader.mailbox()
    reader.space()
    new = reader.mailbox()
    reader.end()
    return Rename(old, new)


async def run(session: IMAPSession, request: Rename) -> Status:
    """INBOX stays, and gives its messages to the new mailbox."""
    new = request.new.removesuffix(SEPARATOR)
    operation = empty_inbox if canonical(request.old) == INBOX else rename
    most = session.services.limits.most_mailboxes
    await session.services.database.write(operation, session.account, request.old, new, fresh_ids(new), now(), most)
    return ok("RENAME completed")


@long
def rename(
    tx: Transaction, account: AccountId, old: str, new: str, ids: Sequence[MailboxId], at: Millis, most: int
) -> None:
    """Raises `MailboxMissing`, `MailboxExists`, `MailboxProtected`, `MailboxNameInvalid`, `TooManyMailboxes`."""
    mailboxes.existing(tx, account, old)
    create_superiors(tx, account, ids, valid(new), at, most)
    mailboxes.rename(tx, account, old, new)


@long
def empty_inbox(
    tx: Transaction, account: AccountId, _: str, new: str, ids: Sequence[MailboxId], at: Millis, most: int
) -> None:
    """Raises `MailboxExists`, `MailboxNameInvalid`, `TooManyMailboxes`."""
    create_superiors(tx, account, ids, valid(new), at, most, others=1)
    mailboxes.empty_into(tx, account, ids[-1], new, accounts.next_uid_validity(tx, account, at), at)


COMMAND: Command[IMAPSession, Reader, Status] = Command("RENAME", LOGGED_IN, parse, run, rfc=3501)
