"""RSET, NOOP, VRFY, HELP and QUIT (RFC 5321 sections 4.1.1.5 to 4.1.1.10)."""

from mailhost.smtp import replies
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import ANYWHERE, SMTPCommand, SMTPSession


def nothing(reader: Reader) -> None:
    reader.end()


def anything(reader: Reader) -> bytes:
    return reader.rest()


async def rset(session: SMTPSession, _: None) -> Reply:
    session.reset()
    return replies.OK


async def noop(_: SMTPSession, __: bytes) -> Reply:
    return replies.OK


async def vrfy(_: SMTPSession, what: bytes) -> Reply:
    """Who has an account here is nobody's business (RFC 5321 section 7.3)."""
    return replies.VRFY_UNSURE if what else replies.BAD_ARGUMENTS


async def help_(_: SMTPSession, __: bytes) -> Reply:
    return replies.HELP


async def quit_(session: SMTPSession, _: None) -> Reply:
    session.ended = True
    return replies.CLOSING


SMALL = (
    SMTPCommand("RSET", ANYWHERE, nothing, rset, rfc=5321),
    SMTPCommand("NOOP", ANYWHERE, anything, noop, rfc=5321),
    SMTPCommand("VRFY", ANYWHERE, anything, vrfy, rfc=5321),
    SMTPCommand("HELP", ANYWHERE, anything, help_, rfc=5321),
    SMTPCommand("QUIT", ANYWHERE, nothing, quit_, rfc=5321),
)
