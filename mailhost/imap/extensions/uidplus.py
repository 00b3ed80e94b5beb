"""UIDPLUS: UID EXPUNGE; APPEND, COPY and MOVE say which UIDs they gave (RFC 4315)."""

from mailhost.conversation.command import Command
from mailhost.imap.commands.expunge import READ_ONLY, take_out
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED, MessageSet


def parse(reader: Reader) -> MessageSet:
    """uid-expunge = "UID" SP "EXPUNGE" SP sequence-set"""
    reader.space()
    chosen = reader.message_set()
    reader.end()
    return chosen


async def run(session: IMAPSession, chosen: MessageSet) -> Status:
    """Those of them that are marked as deleted."""
    if session.selected.read_only:
        return READ_ONLY
    return ok("UID EXPUNGE completed", await take_out(session, await session.chosen(chosen)))


COMMAND: Command[IMAPSession, Reader, Status] = Command("UID EXPUNGE", SELECTED, parse, run, rfc=4315)
EXTENSION = Extension("UIDPLUS", rfc=4315, commands=(COMMAND,), tells_uids=True)
