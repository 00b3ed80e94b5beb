"""STORE: change flags (RFC 3501 section 6.4.6)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.ids import Uid
from mailhost.imap.commands.expunge import READ_ONLY
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, no, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED, FlagList, MessageSet
from mailhost.store import flags
from mailhost.store.flags import FlagChange, FlagsNow, masks
from mailhost.store.values import FlagAction, Flags

DONE = ok("STORE completed")
SOME_GONE = no("Some of the messages were expunged meanwhile", "EXPUNGEISSUED")
_ITEM = re.compile(rb"([+-]?FLAGS)(\.SILENT)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Store:
    chosen: MessageSet
    action: FlagAction
    silent: bool
    flags: FlagList


def parse(reader: Reader) -> Store:
    """Store = "STORE" SP sequence-set SP ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / (flag *(SP flag)))"""
    reader.space()
    chosen = reader.message_set()
    reader.space()
    item = _ITEM.fullmatch(reader.atom())
    if item is None:
        raise SyntaxProblem("FLAGS, +FLAGS or -FLAGS was expected")
    reader.space()
    named = reader.flags()
    reader.end()
    return Store(chosen, FlagAction(item[1].upper().decode()), item[2] is not None, named)


async def run(session: IMAPSession, request: Store) -> Status:
    if session.selected.read_only:
        return READ_ONLY
    uids = await session.chosen(request.chosen)
    if not uids:
        return DONE
    await session.tell_news(expunges=False)  # so that what follows is the client's own doing
    before = session.selected.view.flags_of(uids, 0)
    named = request.flags
    change = FlagChange(session.selected.key, tuple(uids), request.action, Flags(named.system), named.keywords)
    now = await session.services.database.write(flags.change, change)
    if named.keywords:
        await session.learn_keywords()
    if now.changed:
        session.selected.view.knows(now.mod_seq)
    await session.tell_flags(_unexpected(session, request, uids, before, now) if request.silent else _uids(now))
    return DONE if len(now.messages) == len(uids) else SOME_GONE


def _uids(now: FlagsNow) -> list[Uid]:
    return [uid for uid, _ in now.messages]


def _unexpected(
    session: IMAPSession, request: Store, uids: Sequence[Uid], before: Sequence[int], now: FlagsNow
) -> list[Uid]:
    """After .SILENT the client works out the flags for itself: where another session came between it must be told."""
    bits = request.flags.system
    for name in request.flags.keywords:
        bits |= session.selected.flag_names.bits(name)
    keep, put = masks(request.action, Flags(bits))
    if len(now.messages) < len(uids):  # some are gone
        known = dict(zip(uids, before, strict=True))
        before = [known[uid] for uid, _ in now.messages]
    told = zip(now.messages, before, strict=True)
    return [uid for (uid, flag), flag_before in told if flag_before & keep | put != flag]


COMMAND: Command[IMAPSession, Reader, Status] = Command("STORE", SELECTED, parse, run, by_uid=True, rfc=3501)
