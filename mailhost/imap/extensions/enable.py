"""ENABLE: the client names extensions that change what it is told, and from then on they do (RFC 5161)."""

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import MOST_ITEMS, Reader
from mailhost.imap.responses import Status, ok, untagged
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import State


def parse(reader: Reader) -> tuple[str, ...]:
    """Enable = "ENABLE" 1*(SP capability)"""
    names: dict[str, None] = {}
    while True:
        reader.space()
        names[reader.atom().upper().decode()] = None
        if reader.at_end():
            return tuple(names)
        if len(names) >= MOST_ITEMS:
            raise SyntaxProblem(f"More than {MOST_ITEMS} names")


async def run(session: IMAPSession, names: tuple[str, ...]) -> Status:
    """Those that are not there, or need no ENABLE, are passed over (RFC 5161 section 3.1)."""
    known = [name for name in names if name in session.dialect.enable]
    enabled = [name.encode() for name in known if session.enable(name)]
    session.write(untagged(b"ENABLED", *enabled))
    return ok("ENABLE completed")


COMMAND: Command[IMAPSession, Reader, Status] = Command(
    "ENABLE", frozenset({State.AUTHENTICATED}), parse, run, rfc=5161
)
"""Before a mailbox is selected: what it changes must not change in the middle of one (RFC 5161 section 3.1)."""
EXTENSION = Extension("ENABLE", rfc=5161, commands=(COMMAND,))
