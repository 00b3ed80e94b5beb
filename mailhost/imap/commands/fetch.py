"""FETCH: data of messages (RFC 3501 section 6.4.5)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias, cast

from mailhost.conversation.command import Command
from mailhost.ids import Uid
from mailhost.imap.fetching import compiled, fetch, mark_seen
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED, FetchItem, Item, MessageSet
from mailhost.imap.view import View

DONE = ok("FETCH completed")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a FETCH asks, of which messages."""

    uids: Sequence[Uid]
    items: tuple[FetchItem, ...]


Modifier: TypeAlias = Callable[[View, Wanted], Wanted]
"""What an extension's parameter makes of it (RFC 4466 section 2.4)."""


@dataclass(frozen=True, slots=True)
class Fetch:
    chosen: MessageSet
    items: tuple[FetchItem, ...]
    modifiers: tuple[Modifier, ...] = ()


def parse(reader: Reader) -> Fetch:
    """Fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")") [SP "(" modifiers ")"]"""
    reader.space()
    chosen = reader.message_set()
    reader.space()
    items = reader.fetch_items()
    modifiers = reader.parameters(reader.vocabulary.fetch_modifiers)
    reader.end()
    if chosen.by_uid and Item.UID not in items:  # UID is part of every answer to UID FETCH
        items = (Item.UID, *items)
    return Fetch(chosen, items, tuple(cast("Modifier", each) for each in modifiers.values()))


async def run(session: IMAPSession, request: Fetch) -> Status:
    wanted = Wanted(await session.chosen(request.chosen), request.items)
    for modify in request.modifiers:
        wanted = modify(session.selected.view, wanted)
    plan = compiled(wanted.items, session.beside_flags)
    told = frozenset[Uid]()
    if plan.sets_seen and not session.selected.read_only:
        told = await mark_seen(session, wanted.uids)
    await fetch(session, wanted.uids, plan, told)
    return DONE


COMMAND: Command[IMAPSession, Reader, Status] = Command("FETCH", SELECTED, parse, run, by_uid=True, rfc=3501)
