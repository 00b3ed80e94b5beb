"""The TRANSACTION state: look at the maildrop, fetch, mark as deleted (RFC 1939 section 5)."""

from mailhost.conversation.command import Command
from mailhost.events.event import STORE_FETCH
from mailhost.pop3 import maildrop, responses
from mailhost.pop3.grammar import MessageNumber, Reader
from mailhost.pop3.responses import Answer
from mailhost.pop3.session import TRANSACTION, POP3Command, POP3Session


async def stat(session: POP3Session, _: None) -> Answer:
    return responses.drop_listing(session.maildrop.messages, session.maildrop.octets)


async def list_(session: POP3Session, number: MessageNumber | None) -> Answer:
    drop = session.maildrop
    if number is not None:
        return responses.ok(responses.scan_listing(number, drop.entry(number).octets))
    lines = (responses.scan_listing(each.number, each.octets) for each in drop.entries())
    return await session.listing(responses.ok(f"{drop.messages} messages ({drop.octets} octets)"), lines)


async def retr(session: POP3Session, number: MessageNumber) -> Answer:
    """The whole message, however large, some of it at a time."""
    found = await maildrop.locate(session.services.database, session.maildrop, number)
    pieces = session.services.blobs.pieces(found, 0, found.size)
    entry = session.maildrop.entry(number)
    ending = await session.message(responses.ok(f"{entry.octets} octets"), pieces)
    session.publish(STORE_FETCH, data={"messages": session.maildrop.event_of([entry.uid]), "count": 1})
    return ending


async def dele(session: POP3Session, number: MessageNumber) -> Answer:
    """Only a mark: the message leaves at QUIT."""
    session.maildrop.delete(number)
    return responses.ok(f"Message {number} will be deleted at QUIT")


async def noop(_: POP3Session, __: None) -> Answer:
    return responses.DONE


async def rset(session: POP3Session, _: None) -> Answer:
    session.maildrop.reset()
    return responses.maildrop_open(session.maildrop.messages, session.maildrop.octets)


COMMANDS: tuple[POP3Command, ...] = (
    Command("STAT", TRANSACTION, Reader.nothing, stat, rfc=1939),
    Command("LIST", TRANSACTION, Reader.optional_message, list_, rfc=1939),
    Command("RETR", TRANSACTION, Reader.message, retr, rfc=1939),
    Command("DELE", TRANSACTION, Reader.message, dele, rfc=1939),
    Command("NOOP", TRANSACTION, Reader.nothing, noop, rfc=1939),
    Command("RSET", TRANSACTION, Reader.nothing, rset, rfc=1939),
)
