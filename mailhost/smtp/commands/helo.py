"""HELO and EHLO: the client says who it is (RFC 5321 section 4.1.1.1)."""

from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply, reply
from mailhost.smtp.session import ANYWHERE, SMTPCommand, SMTPSession


def parse(reader: Reader) -> str:
    """Ehlo = "EHLO" SP ( Domain / address-literal ) CRLF; HELO likewise"""
    host = reader.host()
    reader.end()
    return host


async def helo(session: SMTPSession, host: str) -> Reply:
    await session.reset()
    session.helo, session.extended = host, False
    return reply(250, "", session.services.host)


async def ehlo(session: SMTPSession, host: str) -> Reply:
    """Lists only what works now."""
    await session.reset()
    session.helo, session.extended = host, True
    lines = [line for announced in session.dialect.announced for line in announced(session)]
    return reply(250, "", f"{session.services.host} greets you", *lines)


HELO = SMTPCommand("HELO", ANYWHERE, parse, helo, rfc=5321)
EHLO = SMTPCommand("EHLO", ANYWHERE, parse, ehlo, rfc=5321)
