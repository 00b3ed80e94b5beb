"""STARTTLS: go on inside TLS (RFC 3207)."""

from mailhost.smtp import replies
from mailhost.smtp.extensions.extension import Extension
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPCommand, SMTPSession, State
from mailhost.transport.channel import ChannelError


class InjectedBehindStartTLS(ChannelError):
    """What came in clear behind STARTTLS could be an attacker's: it is dropped, and the connection closed."""


def parse(reader: Reader) -> None:
    """Starttls = "STARTTLS" CRLF"""
    reader.end()


async def run(session: SMTPSession, _: None) -> Reply:
    """Everything said before is forgotten (RFC 3207 section 4.2); input sent ahead closes the connection without a word."""
    if session.encrypted:
        return replies.ALREADY_TLS
    if session.login is not None:
        return replies.TLS_BEFORE_LOGIN
    if session.channel.has_input:
        raise InjectedBehindStartTLS

    async def go_on() -> None:
        await session.start_tls()
        await session.forget_hello()

    return session.after(replies.TLS_READY, go_on)


EXTENSION = Extension(
    "STARTTLS",
    3207,
    lambda session: () if session.encrypted else ("STARTTLS",),
    commands=(SMTPCommand("STARTTLS", frozenset({State.READY}), parse, run, rfc=3207),),
)
