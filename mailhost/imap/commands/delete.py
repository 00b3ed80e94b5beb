"""DELETE: remove a mailbox with its messages (RFC 3501 section 6.3.4)."""

from mailhost.conversation.command import Command
from mailhost.ids import now
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.store import mailboxes


def parse(reader: Reader) -> str:
    """Delete = "DELETE" SP mailbox"""
    reader.space()
    name = reader.mailbox()
    reader.end()
    return name


async def run(session: IMAPSession, name: str) -> Status:
    """Who deletes the mailbox that is open to it has none open afterwards; other sessions there end."""
    await session.services.database.write(mailboxes.remove, session.account, name, now())
    if session.current is not None and session.current.view.gone:
        await session.leave()
    return ok("DELETE completed")


COMMAND: Command[IMAPSession, Reader, Status] = Command("DELETE", LOGGED_IN, parse, run, rfc=3501)
