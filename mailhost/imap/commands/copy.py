"""COPY: messages into another mailbox, with their flags (RFC 3501 section 6.4.7)."""

from dataclasses import dataclass

from mailhost.conversation.command import Command
from mailhost.ids import now
from mailhost.imap import stored
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok, uid_set
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED, MessageSet
from mailhost.store import messages
from mailhost.store.values import Copied, MailboxKey


@dataclass(frozen=True, slots=True)
class Copy:
    chosen: MessageSet
    target: str


def parse(reader: Reader) -> Copy:
    """Copy = "COPY" SP sequence-set SP mailbox"""
    reader.space()
    chosen = reader.message_set()
    reader.space()
    target = reader.mailbox()
    reader.end()
    return Copy(chosen, target)


async def run(session: IMAPSession, request: Copy) -> Status:
    """All of them or none, where they have numbers; a UID that is gone is passed over (RFC 3501 sections 6.4.7, 6.4.8)."""
    target = await session.target(request.target)
    uids = await session.chosen(request.chosen)
    if not uids:
        return ok("COPY of nothing completed")
    key = MailboxKey(target.account, target.id)
    every = not session.by_uid
    copied = await session.written(messages.copy, session.selected.key, uids, key, now(), every)
    stored.copied(session, target, copied)
    return ok("COPY completed", copy_uid(session, copied))


def copy_uid(session: IMAPSession, copied: Copied) -> str:
    """COPYUID (RFC 4315 section 3); nothing when nothing was copied."""
    if not copied.targets or not session.dialect.tells_uids:
        return ""
    return f"COPYUID {copied.uid_validity} {uid_set(copied.sources)} {uid_set(copied.targets)}"


COMMAND: Command[IMAPSession, Reader, Status] = Command("COPY", SELECTED, parse, run, by_uid=True, rfc=3501)
