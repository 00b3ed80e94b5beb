"""APPEND: a message from the client into a mailbox (RFC 3501 section 6.3.11). It streams; the commit comes last."""

from dataclasses import dataclass, replace
from pathlib import Path

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.database.errors import Refused
from mailhost.delivery.arrival import structure_of
from mailhost.delivery.surrogate import Made, surrogate_of
from mailhost.ids import MessageId, Millis, fresh, now
from mailhost.imap import stored
from mailhost.imap.grammar import Reader
from mailhost.imap.literal import announced
from mailhost.imap.responses import CANNOT, TOOBIG, Status, no, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN, FlagList, MessageData
from mailhost.message.form import Form
from mailhost.message.newlines import CRLFSize
from mailhost.message.structure import Scanned
from mailhost.store import messages
from mailhost.store.messages import Append as Put
from mailhost.store.octets import Incoming
from mailhost.store.values import Flags, Mailbox, MailboxKey, NewMessage, Placed, PreparedBlob

TOO_BIG = no("The message is larger than this server takes", TOOBIG)
HAS_NUL = no("A message must not hold NUL", CANNOT)
NOT_ENABLED = no("Say ENABLE UTF8=ACCEPT first", CANNOT)
EMPTY = no("A message has octets", CANNOT)


@dataclass(frozen=True, slots=True)
class Append:
    target: str
    flags: FlagList
    internal_date: int | None
    data: MessageData


def parse(reader: Reader) -> Append:
    """Append = "APPEND" SP mailbox [SP flag-list] [SP date-time] SP append-data"""
    reader.space()
    target = reader.mailbox()
    reader.space()
    named, internal_date = FlagList(), None
    if reader.follows(b"("):
        named = reader.flag_list()
        reader.space()
    if reader.follows(b'"'):
        internal_date = reader.date_time()
        reader.space()
    return Append(target, named, internal_date, reader.message_data())


async def run(session: IMAPSession, request: Append) -> Status:
    """What cannot be stored is refused before its octets are taken; a connection lost among them leaves nothing."""
    target = await session.target(request.target)
    if request.data.literal.octets > session.services.limits.message_octets:
        return TOO_BIG
    if request.data.utf8 and not session.utf8:
        return NOT_ENABLED
    incoming = session.services.blobs.incoming()
    try:
        received = await _receive(session, request.data, incoming)
        if received.problem is not None:
            await incoming.discard()
            return received.problem
        blob, content = await incoming.finish()
        structure = await structure_of(session.services.blobs, content, session.services.scan)
        other = await _surrogate(session, content, structure)
    except BaseException:
        await incoming.discard()
        raise
    placed = await _put(session, incoming, _new(request, target, blob, structure, received.crlf.end()), blob, other)
    stored.appended(session, target, placed.uid)
    code = f"APPENDUID {placed.uid_validity} {placed.uid}" if session.dialect.tells_uids else ""
    return ok("APPEND completed", code)


async def _receive(session: IMAPSession, data: MessageData, incoming: Incoming) -> "_Content":
    """Take the octets; the answer knows the reason if they cannot be stored."""
    content = _Content(incoming)
    await session.take(data.literal, content.keep)
    line = await session.rest_of_line()
    if line.strip() != data.closing:
        further = announced(line)
        session.refuse_literal(further and further[1])
        raise SyntaxProblem("One message was expected")
    return content


class _Content:
    """Takes the octets, and remembers why they cannot be stored."""

    def __init__(self, incoming: Incoming) -> None:
        self._incoming = incoming
        self.crlf = CRLFSize()
        self.problem: Status | None = EMPTY

    async def keep(self, piece: bytes) -> None:
        if self.problem is EMPTY:
            self.problem = None
        if b"\0" in piece:
            self.problem = HAS_NUL
        if self.problem is None:
            self.crlf.take(piece)
            await self._incoming.write(piece)


def _new(request: Append, target: Mailbox, blob: PreparedBlob, structure: Scanned, crlf_size: int) -> NewMessage:
    return NewMessage(
        MailboxKey(target.account, target.id),
        MessageId(fresh()),
        blob.id,
        structure,
        b"",
        blob.size,
        now() if request.internal_date is None else Millis(request.internal_date),
        Flags(request.flags.system),
        request.flags.keywords,
        crlf_size,
    )


async def _surrogate(session: IMAPSession, content: bytes | Path, structure: Scanned) -> Made | None:
    """For clients that do not take a header in UTF-8; this one has said that it may send such."""
    if not session.utf8:
        return None
    return await surrogate_of(session.services.blobs, content, structure, Form.UTF8, session.services.scan)


async def _put(
    session: IMAPSession, incoming: Incoming, new: NewMessage, blob: PreparedBlob, other: Made | None
) -> Placed:
    """One write. Only a refusal proves that no row names the files; after anything else the sweeper has to look."""
    if other is not None:
        new = replace(new, surrogate=other.row(MessageId(fresh())))
    files = [incoming] if other is None else [incoming, other.incoming]
    try:
        return await session.written(
            messages.append, Put(new, blob, now(), None if other is None else other.content.blob)
        )
    except Refused:
        for each in files:
            await each.discard()
        raise
    finally:
        for each in files:
            await each.release()


COMMAND: Command[IMAPSession, Reader, Status] = Command("APPEND", LOGGED_IN, parse, run, streams=True, rfc=3501)
