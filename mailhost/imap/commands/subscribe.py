"""SUBSCRIBE and UNSUBSCRIBE: the names that LSUB lists (RFC 3501 sections 6.3.6, 6.3.7)."""

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.store import mailboxes


def parse(reader: Reader) -> str:
    """Subscribe = "SUBSCRIBE" SP mailbox"""
    reader.space()
    name = reader.mailbox()
    reader.end()
    return name


async def subscribe(session: IMAPSession, name: str) -> Status:
    most = session.services.limits.most_mailboxes
    await session.services.database.write(mailboxes.subscribe, session.account, name, most)
    return ok("SUBSCRIBE completed")


async def unsubscribe(session: IMAPSession, name: str) -> Status:
    await session.services.database.write(mailboxes.unsubscribe, session.account, name)
    return ok("UNSUBSCRIBE completed")


COMMANDS: tuple[Command[IMAPSession, Reader, Status], ...] = (
    Command("SUBSCRIBE", LOGGED_IN, parse, subscribe, rfc=3501),
    Command("UNSUBSCRIBE", LOGGED_IN, parse, unsubscribe, rfc=3501),
)
