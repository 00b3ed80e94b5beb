"""MOVE: messages into another mailbox in one step (RFC 6851)."""

from mailhost.conversation.command import Command
from mailhost.ids import now
from mailhost.imap import stored
from mailhost.imap.commands.copy import Copy, copy_uid, parse
from mailhost.imap.commands.expunge import READ_ONLY
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED
from mailhost.store import messages
from mailhost.store.values import MailboxKey


async def run(session: IMAPSession, request: Copy) -> Status:
    """COPYUID goes before the EXPUNGEs, which the session tells after the command (RFC 6851 section 4.3)."""
    if session.selected.read_only:
        return READ_ONLY
    target = await session.target(request.target)
    uids = await session.chosen(request.chosen)
    if uids:
        key = MailboxKey(target.account, target.id)
        done = await session.written(messages.move, session.selected.key, uids, key, now(), not session.by_uid)
        stored.moved(session, target, done)
        if code := copy_uid(session, done):
            session.write(ok("Moved", code).line())
    return ok("MOVE completed")


COMMAND: Command[IMAPSession, Reader, Status] = Command("MOVE", SELECTED, parse, run, by_uid=True, rfc=6851)
EXTENSION = Extension("MOVE", rfc=6851, commands=(COMMAND,))
