"""STORE: change flags (RFC 3501 section 6.4.6)."""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.ids import Uid
from mailhost.imap import stored
from mailhost.imap.commands.expunge import READ_ONLY
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import EXPUNGEISSUED, FlagNames, Status, no, ok, uid_set
from mailhost.imap.session import PAGE, IMAPSession
from mailhost.imap.values import SELECTED, FlagList, MessageSet
from mailhost.store import flags
from mailhost.store.flags import FlagChange, FlagsNow, masks
from mailhost.store.values import FlagAction, Flags

DONE = ok("STORE completed")
SOME_GONE = no("Some of the messages were expunged meanwhile", EXPUNGEISSUED)
SYSTEM = FlagNames({})
_ITEM = re.compile(rb"([+-]?FLAGS)(\.SILENT)?", re.IGNORECASE)

Modifier: TypeAlias = Callable[[FlagChange], FlagChange]
"""What an extension's parameter makes of the change (RFC 4466 section 2.5)."""


@dataclass(frozen=True, slots=True)
class Store:
    chosen: MessageSet
    action: FlagAction
    silent: bool
    flags: FlagList
    modifiers: tuple[Modifier, ...] = ()


def parse(reader: Reader) -> Store:
    """Store = "STORE" SP sequence-set [SP "(" modifiers ")"] SP ["+" / "-"] "FLAGS" [".SILENT"] SP (flag-list / (flag *(SP flag)))"""
    reader.space()
    chosen = reader.message_set()
    reader.space()
    modifiers = _modifiers(reader)
    item = _ITEM.fullmatch(reader.atom())
    if item is None:
        raise SyntaxProblem("FLAGS, +FLAGS or -FLAGS was expected")
    reader.space()
    named = reader.flags()
    reader.end()
    return Store(chosen, FlagAction(item[1].upper().decode()), item[2] is not None, named, modifiers)


def _modifiers(reader: Reader) -> tuple[Modifier, ...]:
    """[store-modifiers = "(" store-modifier *(SP store-modifier) ")" SP]"""
    if not reader.follows(b"("):
        return ()
    found = reader.modifiers(reader.vocabulary.store_modifiers)
    reader.space()
    return tuple(cast("Modifier", each) for each in found.values())


async def run(session: IMAPSession, request: Store) -> Status:
    if session.selected.read_only:
        return READ_ONLY
    uids = await session.chosen(request.chosen)
    if not uids:
        return DONE
    await session.tell_news(expunges=False)  # so that what follows is the client's own doing
    view = session.selected.view
    silent = request.silent and view.is_current  # it may have been slow to read, and more have come
    before = view.flags_of(uids, 0)
    now = await session.written(flags.change, _change(session, request, uids))
    done = [uid for uid, _ in now.messages]
    if now.changed:
        view.knows(now.mod_seq)
        stored.flagged(session, done, _told(request))
    if len(done) > PAGE:
        await asyncio.sleep(0)
    if not all(map(session.selected.flag_names.bits, request.flags.keywords)):  # one that was new, or another session's
        await session.learn_keywords()
    await session.tell_news(expunges=False)  # what others did before it: mod-sequences are told in their order
    await _tell(session, now, _unexpected(session, request, uids, before, now) if silent else done)
    return _answer(session, request, uids, now)


def _told(request: Store) -> str:
    r"""As the command has it: `+FLAGS (\Seen)`."""
    names = filter(None, [SYSTEM.text(request.flags.system, recent=False).decode(), *request.flags.keywords])
    return f"{request.action.value} ({' '.join(names)})"


def _change(session: IMAPSession, request: Store, uids: Sequence[Uid]) -> FlagChange:
    named = request.flags
    change = FlagChange(session.selected.key, tuple(uids), request.action, Flags(named.system), named.keywords)
    for modify in request.modifiers:
        change = modify(change)
    return change


def _unexpected(
    session: IMAPSession, request: Store, uids: Sequence[Uid], before: Sequence[int], now: FlagsNow
) -> list[Uid]:
    """After .SILENT the client works out the flags for itself: where another session came between it must be told.

    Also where that was told since the command began: whoever worked the flags out as it sent the command has overwritten them.
    """
    bits = request.flags.system
    for name in request.flags.keywords:
        bits |= session.selected.flag_names.bits(name)
    keep, put = masks(request.action, Flags(bits))
    if len(now.messages) < len(uids):  # some are gone, or were not to be changed
        known = dict(zip(uids, before, strict=True))
        before = [known[uid] for uid, _ in now.messages]
    found, told = zip(now.messages, before, strict=True), session.flags_told
    return [uid for (uid, flag), flag_before in found if flag_before & keep | put != flag or uid in told]


async def _tell(session: IMAPSession, now: FlagsNow, flags_of: Sequence[Uid]) -> None:
    """Flags of these; of those that failed as well, so that the client need not ask for them (RFC 7162 section 3.1.3)."""
    if session.beside_flags and len(flags_of) < len(now.messages):
        with_flags = set(flags_of)
        await session.tell_beside_flags([uid for uid, _ in now.messages if uid not in with_flags])
    await session.tell_flags(sorted([*flags_of, *now.failed]) if now.failed else flags_of)


def _answer(session: IMAPSession, request: Store, uids: Sequence[Uid], now: FlagsNow) -> Status:
    """MODIFIED names what was not changed, as the command counts: what failed, and what is gone (RFC 7162 section 3.1.3).

    Without a modifier, a UID that is gone is passed over (RFC 3501 section 6.4.8).
    """
    some_gone = len(now.messages) + len(now.failed) < len(uids)
    if not request.modifiers:
        return SOME_GONE if some_gone and not session.by_uid else DONE
    if not some_gone and not now.failed:
        return DONE
    done = {uid for uid, _ in now.messages}
    left = [uid for uid in uids if uid not in done]
    code = "MODIFIED " + uid_set(left if session.by_uid else session.selected.view.numbers(left))
    return no("Some of the messages are no more", code) if some_gone else ok("Some of the messages had changed", code)


COMMAND: Command[IMAPSession, Reader, Status] = Command("STORE", SELECTED, parse, run, by_uid=True, rfc=3501)
