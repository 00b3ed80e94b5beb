"""SEARCH: which messages answer to all of some keys (RFC 3501 section 6.4.4)."""

from dataclasses import dataclass

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import Status, no, ok, search_result
from mailhost.imap.search_keys import All, Ending, KeyReader
from mailhost.imap.searching import search
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import SELECTED

CHARSETS = {b"US-ASCII": "ascii", b"UTF-8": "utf-8"}
BAD_CHARSET = no("SEARCH in US-ASCII or UTF-8", "BADCHARSET (US-ASCII UTF-8)")


@dataclass(frozen=True, slots=True)
class Search:
    keys: All | None
    """None when the charset is one that nobody here knows."""
    ends: tuple[Ending, ...] = ()


def parse(reader: Reader) -> Search:
    """Search = "SEARCH" [SP "CHARSET" SP astring] 1*(SP search-key)"""
    reader.space()
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
    if session.by_uid:
        await session.tell_news(expunges=False)
    found = await search(session, request.keys)
    numbers = [each.uid if session.by_uid else each.number for each in found]
    uids = [each.uid for each in found]
    ends = [end(session.selected.view, uids) for end in request.ends] if uids else []
    session.write(search_result(numbers, *ends))
    return ok("SEARCH completed")


COMMAND: Command[IMAPSession, Reader, Status] = Command("SEARCH", SELECTED, parse, run, by_uid=True, rfc=3501)
