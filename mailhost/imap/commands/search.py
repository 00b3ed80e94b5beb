"""SEARCH: which messages answer to all of some keys (RFC 3501 section 6.4.4)."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.ids import Uid
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, no, ok, search_numbers, search_result
from mailhost.imap.search_keys import All, Ending, KeyReader
from mailhost.imap.searching import search
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED

CHARSETS = {b"US-ASCII": "ascii", b"UTF-8": "utf-8", b"GB18030": "gb18030", b"GBK": "gb18030", b"GB2312": "gb18030"}
BAD_CHARSET = no("SEARCH in one of these", f"BADCHARSET ({b' '.join(CHARSETS).decode()})")


@dataclass(frozen=True, slots=True)
class Search:
    keys: All | None
    """None when the charset is one that nobody here knows."""
    ends: tuple[Ending, ...] = ()


def parse(reader: Reader) -> Search:
    """Search = "SEARCH" SP search-program"""
    reader.space()
    return program(reader)


def program(reader: Reader) -> Search:
    """search-program = ["CHARSET" SP charset SP] search-key *(SP search-key) (RFC 4466 section 2.6.1)"""
    charset = "utf-8"  # what clients send that name none
    if reader.accept_word(b"CHARSET"):
        if reader.utf8:
            raise SyntaxProblem("No CHARSET once UTF8=ACCEPT is enabled: all is UTF-8")  # RFC 6855 section 3
        reader.space()
        named = reader.astring().upper()
        if named not in CHARSETS:
            return Search(None)
        charset = CHARSETS[named]
        reader.space()
    key_reader = KeyReader(reader, charset)
    keys = key_reader.keys()
    reader.end()
    return Search(keys, tuple(dict.fromkeys(key_reader.ends)))


async def run(session: IMAPSession, request: Search) -> Status:
    if request.keys is None:
        return BAD_CHARSET
    await tell_new(session)
    uids, written = list[Uid](), list[bytes]()
    async for page in search(session, request.keys):
        uids += page
        written.append(search_numbers(numbers(session, page)))
    session.write(search_result(*written, *ends(session, request, uids)))
    return ok("SEARCH completed")


async def tell_new(session: IMAPSession) -> None:
    """By UID a message may be found that the client has not heard of: EXISTS goes first."""
    if session.by_uid:
        await session.tell_news(expunges=False)


def numbers(session: IMAPSession, uids: Sequence[Uid]) -> Sequence[int]:
    """What the client counts by; `uids` are ascending."""
    return uids if session.by_uid else session.selected.view.numbers(uids)


def ends(session: IMAPSession, request: Search, uids: Sequence[Uid]) -> list[bytes]:
    return [end(session.selected.view, uids) for end in request.ends] if uids else []


COMMAND: Command[IMAPSession, Reader, Status] = Command("SEARCH", SELECTED, parse, run, by_uid=True, rfc=3501)
