"""CHECK: a checkpoint; every commit is durable already (RFC 3501 section 6.4.1)."""

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader, no_arguments
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED

DONE = ok("CHECK completed")


async def run(_: IMAPSession, __: None) -> Status:
    return DONE


COMMAND: Command[IMAPSession, Reader, Status] = Command("CHECK", SELECTED, no_arguments, run, rfc=3501)
