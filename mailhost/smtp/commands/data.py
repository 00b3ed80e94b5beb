"""DATA: the message itself, up to a line with a dot alone (RFC 5321 section 4.1.1.4)."""

from mailhost.smtp import replies
from mailhost.smtp.data import DataDecoder
from mailhost.smtp.grammar import Reader
from mailhost.smtp.incoming import Incoming
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPCommand, SMTPSession, State


def parse(reader: Reader) -> None:
    """Data = "DATA" CRLF"""
    reader.end()


async def run(session: SMTPSession, _: None) -> Reply:
    """After 354 everything up to CRLF.CRLF is read, whatever becomes of it; 250 means committed and synced."""
    if session.envelope.is_binary:
        return replies.CHUNKS_WANTED
    decoder = DataDecoder(normalise=session.settings.normalise_newlines)
    session.message = message = Incoming(session, decoder)
    session.say(replies.GO_AHEAD)
    try:
        with session.octets_due():
            while decoder.rest is None:
                await message.take(await message.read())
        session.channel.unread(decoder.rest)
        return await message.accept()
    finally:
        await session.reset()


DATA = SMTPCommand("DATA", frozenset({State.RECIPIENTS}), parse, run, rfc=5321)
