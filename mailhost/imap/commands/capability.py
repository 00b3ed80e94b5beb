"""CAPABILITY: what this server can do, here and now (RFC 3501 section 6.1.1)."""

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader, no_arguments
from mailhost.imap.responses import Status, ok, untagged
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import ANY_STATE


async def run(session: IMAPSession, _: None) -> Status:
    session.write(untagged(b"CAPABILITY", session.capabilities().encode()))
    return ok("CAPABILITY completed")


COMMAND: Command[IMAPSession, Reader, Status] = Command("CAPABILITY", ANY_STATE, no_arguments, run, rfc=3501)
