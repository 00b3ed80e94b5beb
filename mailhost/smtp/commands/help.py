"""HELP: which commands there are, and how one of them is written (RFC 5321 section 4.1.1.8)."""

import textwrap

from mailhost.smtp import replies
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply, reply
from mailhost.smtp.session import ANYWHERE, SMTPCommand, SMTPSession

WIDTH = 100


def parse(reader: Reader) -> str:
    """Help = "HELP" [SP String] CRLF"""
    return reader.rest().strip().decode("ascii", "replace").upper()


async def run(session: SMTPSession, name: str) -> Reply:
    """What a command's grammar says of itself is its help."""
    if not name:
        return reply(
            replies.HELP.code,
            replies.HELP.enhanced,
            *replies.HELP.lines,
            *textwrap.wrap(" ".join(session.commands), WIDTH),
        )
    command = session.commands.get(name)
    if command is None:
        return replies.NO_SUCH_HELP
    return replies.HELP.saying(f"{_syntax(command)} (RFC {command.rfc})")


def _syntax(command: SMTPCommand) -> str:
    return (command.parse.__doc__ or command.name).splitlines()[0]


HELP = SMTPCommand("HELP", ANYWHERE, parse, run, rfc=5321)
