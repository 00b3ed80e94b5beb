"""NOOP: nothing, but a chance to hear what others changed (RFC 3501 section 6.1.2)."""

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader, no_arguments
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import ANY_STATE

DONE = ok("NOOP completed")


async def run(_: IMAPSession, __: None) -> Status:
    return DONE


COMMAND: Command[IMAPSession, Reader, Status] = Command("NOOP", ANY_STATE, no_arguments, run, rfc=3501)
