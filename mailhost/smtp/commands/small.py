"""RSET, NOOP and QUIT (RFC 5321 sections 4.1.1.5, 4.1.1.9 and 4.1.1.10)."""

from mailhost.smtp import replies
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import ANYWHERE, SMTPCommand, SMTPSession


def reset_syntax(reader: Reader) -> None:
    """Rset = "RSET" CRLF"""
    reader.end()


def noop_syntax(reader: Reader) -> bytes:
    """Noop = "NOOP" [SP String] CRLF"""
    return reader.rest()


def quit_syntax(reader: Reader) -> None:
    """Quit = "QUIT" CRLF"""
    reader.end()


async def rset(session: SMTPSession, _: None) -> Reply:
    await session.reset()
    return replies.OK


async def noop(_: SMTPSession, __: bytes) -> Reply:
    return replies.OK


async def quit_(session: SMTPSession, _: None) -> Reply:
    session.ended = True
    return replies.CLOSING


SMALL = (
    SMTPCommand("RSET", ANYWHERE, reset_syntax, rset, rfc=5321),
    SMTPCommand("NOOP", ANYWHERE, noop_syntax, noop, rfc=5321),
    SMTPCommand("QUIT", ANYWHERE, quit_syntax, quit_, rfc=5321),
)
