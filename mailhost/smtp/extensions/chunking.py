"""CHUNKING: a message in chunks whose octets are counted before they come (RFC 3030 section 2)."""

from dataclasses import dataclass

from mailhost.conversation.command import SyntaxProblem
from mailhost.smtp import replies
from mailhost.smtp.data import ChunkDecoder
from mailhost.smtp.extensions.extension import Extension, always
from mailhost.smtp.grammar import Reader, number
from mailhost.smtp.incoming import PIECE, Incoming
from mailhost.smtp.pace import Pace
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import ANYWHERE, STATE_REFUSALS, SMTPCommand, SMTPSession, State

LARGEST_CHUNK = (1 << 32) - 1
"""Nobody means a larger one; it is not even thrown away."""


@dataclass(frozen=True, slots=True)
class Chunk:
    octets: int
    is_last: bool


def parse(reader: Reader) -> Chunk:
    """Bdat = "BDAT" SP chunk-size [SP "LAST"] CRLF"""
    octets = number(reader.word().decode("ascii", "replace"), "chunk-size", LARGEST_CHUNK)
    last = reader.optional_word()
    reader.end()
    if last is not None and last.upper() != b"LAST":
        raise SyntaxProblem("only LAST may follow the size")
    return Chunk(octets, last is not None)


async def run(session: SMTPSession, chunk: Chunk) -> Reply:
    """Its octets are taken whatever becomes of them: they are never commands (RFC 3030 section 2)."""
    if session.state not in (State.RECIPIENTS, State.CHUNKS):
        refusal = STATE_REFUSALS[session.state]
        await _throw_away(session, chunk.octets)
        return refusal
    message = _under_way(session)
    message.expect(chunk.octets)
    with session.octets_due():
        await _read(message, chunk.octets)
    if chunk.octets and message.refusal is None:
        session.idle_commands = 0  # or a large message in small chunks would be too many commands
    if not chunk.is_last:
        return message.refusal or replies.CHUNK_OK.saying(f"{chunk.octets} octets taken")
    try:
        return await message.accept()
    finally:
        await session.reset()


def _under_way(session: SMTPSession) -> Incoming:
    """The transaction's message; its first chunk begins it."""
    if session.message is None:
        normalise = session.settings.normalise_newlines
        session.message = Incoming(session, ChunkDecoder(normalise=normalise, binary=session.envelope.is_binary))
    return session.message


async def _read(message: Incoming, octets: int) -> None:
    while octets:
        data = await message.read(min(octets, PIECE))
        octets -= len(data)
        await message.take(data)


async def _throw_away(session: SMTPSession, octets: int) -> None:
    pace = Pace(session.settings)
    while octets:
        data = await pace.read(session.channel, min(octets, PIECE))
        octets -= len(data)
        session.passed_unseen(len(data))


EXTENSION = Extension(
    "CHUNKING",
    3030,
    always("CHUNKING"),
    commands=(SMTPCommand("BDAT", ANYWHERE, parse, run, streams=True, rfc=3030),),
)
