"""LOGOUT: the client has done (RFC 3501 section 6.1.3)."""

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader, no_arguments
from mailhost.imap.responses import Status, bye, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import ANY_STATE


async def run(session: IMAPSession, _: None) -> Status:
    await session.leave()
    session.write(bye("Goodbye").line())
    session.ended = True
    return ok("LOGOUT completed")


COMMAND: Command[IMAPSession, Reader, Status] = Command("LOGOUT", ANY_STATE, no_arguments, run, rfc=3501)
