"""RENAME: give a mailbox, and those under it, another name (RFC 3501 section 6.3.5)."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.conversation.command import Command
from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, MailboxId, Millis, now
from mailhost.imap.commands.create import create, create_superiors, fresh_ids
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.store import mailboxes, messages
from mailhost.store.mailboxes import INBOX, SEPARATOR
from mailhost.store.values import MailboxKey


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
    operation = empty_inbox if mailboxes.canonical(request.old) == INBOX else rename
    await session.services.database.write(operation, session.account, request.old, new, fresh_ids(new), now())
    return ok("RENAME completed")


def rename(tx: Transaction, account: AccountId, old: str, new: str, ids: Sequence[MailboxId], at: Millis) -> None:
    """Raises `MailboxMissing`, `MailboxExists`, `MailboxProtected`, `MailboxNameInvalid`."""
    mailboxes.find(tx, account, old)
    create_superiors(tx, account, ids, mailboxes.valid(new), at)
    mailboxes.rename(tx, account, old, new)


@long
def empty_inbox(tx: Transaction, account: AccountId, _: str, new: str, ids: Sequence[MailboxId], at: Millis) -> None:
    """Raises `MailboxExists`, `MailboxNameInvalid`."""
    inbox = mailboxes.find(tx, account, INBOX)
    made = create(tx, account, ids, new, at)
    source = MailboxKey(account, inbox.id)
    uids = [uid for uid, _ in messages.sizes(tx, source)]
    if uids:
        messages.move(tx, source, uids, MailboxKey(account, made.id), at)


COMMAND: Command[IMAPSession, Reader, Status] = Command("RENAME", LOGGED_IN, parse, run, rfc=3501)
