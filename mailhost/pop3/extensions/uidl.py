"""UIDL: names for messages that outlive the session, so that a client can leave mail on the server (RFC 1939 section 7)."""

from mailhost.conversation.command import Command
from mailhost.pop3.extensions.extension import Extension
from mailhost.pop3.grammar import MessageNumber, Reader
from mailhost.pop3.maildrop import Entry
from mailhost.pop3.responses import Answer, ok, unique_id
from mailhost.pop3.session import TRANSACTION, POP3Session


async def run(session: POP3Session, number: MessageNumber | None) -> Answer:
    drop = session.maildrop

    def line(entry: Entry) -> str:
        return f"{entry.number} {unique_id(drop.uid_validity, entry.uid)}"

    if number is not None:
        return ok(line(drop.entry(number)))
    return await session.listing(ok("Unique-id listing"), map(line, drop.entries()))


EXTENSION = Extension(
    "UIDL", rfc=1939, commands=(Command("UIDL", TRANSACTION, Reader.optional_message, run, rfc=1939),)
)
