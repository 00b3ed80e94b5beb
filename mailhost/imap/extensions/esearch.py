"""ESEARCH: SEARCH answers with what was asked for: the first, the last, how many, or all as ranges (RFC 4731)."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.ids import Uid
from mailhost.imap.commands import search as base
from mailhost.imap.commands.search import BAD_CHARSET, Search, ends, numbers, program, tell_new
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, ok, runs_of
from mailhost.imap.search_keys import All
from mailhost.imap.searching import PAGE_OF_ARRAYS, search
from mailhost.imap.session import IMAPSession
from mailhost.imap.turns import Turn
from mailhost.imap.values import SELECTED, MessageSet, Range
from mailhost.message.quoting import string

MIN, MAX, ALL, COUNT = b"MIN", b"MAX", b"ALL", b"COUNT"
OPTIONS = frozenset({MIN, MAX, ALL, COUNT})


@dataclass(frozen=True, slots=True)
class ExtendedSearch:
    returns: frozenset[bytes]
    search: Search


@dataclass(frozen=True, slots=True)
class Found:
    """Of what was found, as much as is told; ascending."""

    uids: Sequence[Uid]
    count: int


def parse(reader: Reader) -> Search | ExtendedSearch:
    """Search = "SEARCH" [SP "RETURN" SP "(" [search-return-opt *(SP search-return-opt)] ")"] SP search-program"""
    reader.space()
    if not reader.accept_word(b"RETURN"):
        return program(reader)
    reader.space()
    returns = frozenset(reader.parenthesised(lambda: _option(reader)))
    reader.space()
    return ExtendedSearch(returns or frozenset({ALL}), program(reader))


def _option(reader: Reader) -> bytes:
    """search-return-opt = "MIN" / "MAX" / "ALL" / "COUNT";"""
    word = reader.word()
    if word not in OPTIONS:
        raise SyntaxProblem("An unknown result option")
    return word


async def run(session: IMAPSession, request: Search | ExtendedSearch) -> Status:
    if isinstance(request, Search):
        return await base.run(session, request)
    keys = request.search.keys
    if keys is None:
        return BAD_CHARSET
    await tell_new(session)
    found = await _find(session, keys, request.returns, needs_all=bool(request.search.ends))
    session.write(await _response(session, request, found))
    return ok("SEARCH completed")


async def _find(session: IMAPSession, keys: All, returns: frozenset[bytes], *, needs_all: bool) -> Found:
    """Who asks for one end only does not wait for the other. What is said of the messages is of those told (RFC 4731 section 3.2)."""
    if returns <= {MIN, MAX}:
        uids = [await _end(session, keys, backwards=option == MAX) for option in sorted(returns, reverse=True)]
        there = sorted({uid for uid in uids if uid is not None})
        return Found(there, len(there))
    if ALL in returns or needs_all:
        every = [uid async for page in search(session, keys) for uid in page]
        return Found(every, len(every))
    return await _counted(session, keys)


async def _end(session: IMAPSession, keys: All, *, backwards: bool) -> Uid | None:
    async for page in search(session, keys, backwards=backwards):
        if page:
            return page[0]
    return None


async def _counted(session: IMAPSession, keys: All) -> Found:
    """The ends are kept, and none between them."""
    count, first, last = 0, list[Uid](), list[Uid]()
    async for page in search(session, keys):
        if page:
            count += len(page)
            first = first or [page[0]]
            last = [page[-1]]
    return Found(sorted({*first, *last}), count)


async def _response(session: IMAPSession, request: ExtendedSearch, found: Found) -> bytes:
    """esearch-response = "ESEARCH" [search-correlator] [SP "UID"] *(SP search-return-data)"""
    words = [b"* ESEARCH (TAG %b)" % string(session.tag)]
    if session.by_uid:
        words.append(b"UID")
    if found.uids:
        first, last = numbers(session, found.uids[:1])[0], numbers(session, found.uids[-1:])[0]
        words += [b"MIN %d" % first] * (MIN in request.returns)
        words += [b"MAX %d" % last] * (MAX in request.returns)
        if ALL in request.returns:
            words.append(b"ALL %b" % await _ranges(session, found.uids))
    words += [b"COUNT %d" % found.count] * (COUNT in request.returns)
    words += [end.strip(b"()") for end in ends(session, request.search, found.uids)]
    return b" ".join(words) + b"\r\n"


async def _ranges(session: IMAPSession, uids: Sequence[Uid]) -> bytes:
    """sequence-set, a page at a time: runs that go on over the border of two are put together."""
    runs, turn = list[Range](), Turn()
    for start in range(0, len(uids), PAGE_OF_ARRAYS):
        for low, high in runs_of(numbers(session, uids[start : start + PAGE_OF_ARRAYS])):
            if runs and runs[-1][1] + 1 == low:
                runs[-1] = (runs[-1][0], high)
            else:
                runs.append((low, high))
        await turn.breathe()
    return bytes(MessageSet(tuple(runs)))


COMMAND: Command[IMAPSession, Reader, Status] = Command("SEARCH", SELECTED, parse, run, by_uid=True, rfc=4731)
EXTENSION = Extension("ESEARCH", rfc=4731, commands=(COMMAND,))
