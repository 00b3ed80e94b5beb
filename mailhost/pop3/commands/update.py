"""The UPDATE state: what QUIT does after a login (RFC 1939 section 6)."""

from mailhost.conversation.command import Command
from mailhost.database.errors import CommitFailed, Refused
from mailhost.events.event import FAULT, STORE_EXPUNGE
from mailhost.pop3 import maildrop, responses
from mailhost.pop3.grammar import Reader
from mailhost.pop3.responses import Answer
from mailhost.pop3.session import ANY_STATE, POP3Command, POP3Session, State


async def quit_(session: POP3Session, _: None) -> Answer:
    """Whatever comes of it, the session ends; after a login the marked messages leave first, and then the lock is free."""
    session.ended = True
    return await _update(session) if session.state is State.TRANSACTION else responses.GOODBYE


async def _update(session: POP3Session) -> Answer:
    """The +OK comes after the commit: the client forgets its messages by it."""
    drop = session.maildrop
    try:
        removed = await maildrop.remove_deleted(session.services.database, drop)
    except (CommitFailed, Refused) as failure:
        session.publish(FAULT, cause=f"QUIT: {failure!r}")
        return responses.NOT_REMOVED
    finally:
        drop.close()  # before the answer: the client may be back at once
    if removed:
        session.publish(STORE_EXPUNGE, data={"messages": drop.event_of(removed), "count": len(removed)})
    return responses.GOODBYE


COMMANDS: tuple[POP3Command, ...] = (Command("QUIT", ANY_STATE, Reader.nothing, quit_, rfc=1939),)
