"""UNSELECT: close a mailbox without taking anything out (RFC 3691)."""

from mailhost.conversation.command import Command
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader, no_arguments
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED


async def run(session: IMAPSession, _: None) -> Status:
    await session.leave()
    return ok("UNSELECT completed")


COMMAND: Command[IMAPSession, Reader, Status] = Command("UNSELECT", SELECTED, no_arguments, run, rfc=3691)
EXTENSION = Extension("UNSELECT", rfc=3691, commands=(COMMAND,))
