"""EXPUNGE and CLOSE: take out what is marked as deleted (RFC 3501 sections 6.4.2, 6.4.3)."""

from collections.abc import Sequence
from itertools import compress

from mailhost.conversation.command import Command
from mailhost.ids import Uid, now
from mailhost.imap import stored
from mailhost.imap.grammar import Reader, no_arguments
from mailhost.imap.responses import CANNOT, DELETED, Status, no, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED
from mailhost.store import messages
from mailhost.store.values import Flags

READ_ONLY = no("The mailbox is open read-only", CANNOT)


async def expunge(session: IMAPSession, _: None) -> Status:
    """The EXPUNGE responses are what the session tells after any command."""
    if session.selected.read_only:
        return READ_ONLY
    return ok("EXPUNGE completed", await take_out(session, await marked(session)))


async def close(session: IMAPSession, _: None) -> Status:
    """As EXPUNGE, without a word of it; a mailbox opened read-only is left as it is.

    Nor a mod-sequence: what others changed was not told, and the client must not believe that it knows (RFC 7162 section 3.2.8).
    """
    if not session.selected.read_only:
        await take_out(session, await marked(session))
    await session.leave()
    return ok("CLOSE completed")


async def marked(session: IMAPSession) -> list[Uid]:
    """All that are, also those that another process has marked, of which the hint is still on its way."""
    index = session.selected.index
    await session.services.indexes.refresh(index)
    with_mark = {flags for flags in set(index.flags) if flags & DELETED}
    return list(map(Uid, compress(index.uids, map(with_mark.__contains__, index.flags)))) if with_mark else []


async def take_out(session: IMAPSession, uids: Sequence[Uid]) -> str:
    """Those of the messages that are still marked when the transaction runs. Answers with a response code, or nothing."""
    if not uids:
        return ""
    gone = await session.written(messages.expunge, session.selected.key, uids, now(), Flags(DELETED))
    stored.expunged(session, gone)
    return session.after_expunge(session) if gone and session.after_expunge else ""


COMMANDS: tuple[Command[IMAPSession, Reader, Status], ...] = (
    Command("EXPUNGE", SELECTED, no_arguments, expunge, rfc=3501),
    Command("CLOSE", SELECTED, no_arguments, close, rfc=3501),
)
