"""TOP: the header of a message and the first lines of its body (RFC 1939 section 7)."""

from collections.abc import AsyncIterator

from mailhost.conversation.command import Command
from mailhost.pop3 import maildrop
from mailhost.pop3.extensions.extension import Extension
from mailhost.pop3.grammar import MessageNumber, Reader
from mailhost.pop3.responses import Answer, Top, ok
from mailhost.pop3.session import TRANSACTION, POP3Session


async def run(session: POP3Session, asked: tuple[MessageNumber, int]) -> Answer:
    number, lines = asked
    found = await maildrop.locate(session.services.database, session.maildrop, number)
    pieces = session.services.blobs.pieces(found, 0, found.size)
    return await session.message(ok("Top of message follows"), _top(pieces, Top(lines)))


async def _top(pieces: AsyncIterator[bytes], top: Top) -> AsyncIterator[bytes]:
    """Stops reading where the client's wish ends."""
    async for piece in pieces:
        yield top.take(piece)
        if top.finished:
            return
    yield top.end()


EXTENSION = Extension("TOP", rfc=1939, commands=(Command("TOP", TRANSACTION, Reader.message_and_lines, run, rfc=1939),))
