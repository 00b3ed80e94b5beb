"""STATUS: how a mailbox stands, without opening it (RFC 3501 section 6.3.10)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, mailbox, ok, untagged
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.store import mailboxes
from mailhost.store.values import Mailbox, MailboxKey

RECENT = b"RECENT"
ITEMS: Mapping[bytes, Callable[[Mailbox], int]] = {
    b"MESSAGES": lambda found: found.messages,
    b"UIDNEXT": lambda found: found.uid_next,
    b"UIDVALIDITY": lambda found: found.uid_validity,
    b"UNSEEN": lambda found: found.unseen,
}
"""What the mailbox itself knows; only RECENT is counted."""


@dataclass(frozen=True, slots=True)
class Ask:
    name: str
    items: tuple[bytes, ...]


def parse(reader: Reader) -> Ask:
    """Status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")";"""
    reader.space()
    name = reader.mailbox()
    reader.space()
    items = read_items(reader)
    reader.end()
    return Ask(name, items)


def read_items(reader: Reader) -> tuple[bytes, ...]:
    """The list of status-att, in parentheses."""
    items = tuple(dict.fromkeys(reader.parenthesised(reader.status_item)))
    if not items:
        raise SyntaxProblem("STATUS of nothing")
    return items


async def run(session: IMAPSession, request: Ask) -> Status:
    session.write(await line(session, await session.mailbox(request.name), request.items))
    return ok("STATUS completed")


async def line(session: IMAPSession, found: Mailbox, items: Sequence[bytes]) -> bytes:
    """mailbox-data = "STATUS" SP mailbox SP "(" [status-att-list] ")";"""
    words = [b"%b %d" % (item, await _value(session, found, item)) for item in items]
    return untagged(b"STATUS", mailbox(found.name, utf8=session.utf8), b"(%b)" % b" ".join(words))


async def _value(session: IMAPSession, found: Mailbox, item: bytes) -> int:
    if item != RECENT:
        return ITEMS[item](found) if item in ITEMS else session.dialect.status_items[item](session, found)
    recent = max(found.recent_uid, session.services.indexes.recent_next(found.id))
    if recent >= found.uid_next:
        return 0
    return await session.read_store(mailboxes.count_recent, MailboxKey(found.account, found.id), recent)


COMMAND: Command[IMAPSession, Reader, Status] = Command("STATUS", LOGGED_IN, parse, run, rfc=3501)
