"""NAMESPACE: whose mailboxes are under which names (RFC 2342). All are the user's own."""

from mailhost.conversation.command import Command
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader, no_arguments
from mailhost.imap.responses import Status, ok, untagged
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.store.names import SEPARATOR


async def run(session: IMAPSession, _: None) -> Status:
    session.write(untagged(b"NAMESPACE", b'(("" "%b")) NIL NIL' % SEPARATOR.encode()))
    return ok("NAMESPACE completed")


COMMAND: Command[IMAPSession, Reader, Status] = Command("NAMESPACE", LOGGED_IN, no_arguments, run, rfc=2342)
EXTENSION = Extension("NAMESPACE", rfc=2342, commands=(COMMAND,))
