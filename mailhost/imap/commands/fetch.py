"""FETCH: data of messages (RFC 3501 section 6.4.5)."""

from dataclasses import dataclass

from mailhost.conversation.command import Command
from mailhost.ids import Uid
from mailhost.imap.fetching import Plan, compiled, fetch, mark_seen
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED, Item, MessageSet

DONE = ok("FETCH completed")


@dataclass(frozen=True, slots=True)
class Fetch:
    chosen: MessageSet
    plan: Plan


def parse(reader: Reader) -> Fetch:
    """Fetch = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att / "(" fetch-att *(SP fetch-att) ")")"""
    reader.space()
    chosen = reader.message_set()
    reader.space()
    items = reader.fetch_items()
    reader.end()
    if chosen.by_uid and Item.UID not in items:  # UID is part of every answer to UID FETCH
        items = (Item.UID, *items)
    return Fetch(chosen, compiled(items))


async def run(session: IMAPSession, request: Fetch) -> Status:
    uids = await session.chosen(request.chosen)
    told = frozenset[Uid]()
    if request.plan.sets_seen and not session.selected.read_only:
        told = await mark_seen(session, uids)
    await fetch(session, uids, request.plan, told)
    return DONE


COMMAND: Command[IMAPSession, Reader, Status] = Command("FETCH", SELECTED, parse, run, by_uid=True, rfc=3501)
