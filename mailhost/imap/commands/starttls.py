"""STARTTLS: go on under TLS (RFC 3501 section 6.2.1)."""

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.imap.grammar import Reader, no_arguments
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import NOT_AUTHENTICATED
from mailhost.transport.channel import ChannelError


async def run(session: IMAPSession, _: None) -> Status:
    """What was sent in clear behind the command is never run: somebody in between may have put it there."""
    if session.encrypted:
        raise SyntaxProblem("TLS is in use already")
    if session.channel.has_input:
        raise ChannelError("plaintext behind STARTTLS")
    return session.after(ok("Begin TLS now"), session.start_tls)


COMMAND: Command[IMAPSession, Reader, Status] = Command("STARTTLS", NOT_AUTHENTICATED, no_arguments, run, rfc=3501)
