"""LIST and LSUB: which mailboxes there are, which of them a user wants to see (RFC 3501 sections 6.3.8, 6.3.9)."""

from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader
from mailhost.imap.hierarchy import Name, hierarchy
from mailhost.imap.responses import LIMIT, Status, listed, no, ok
from mailhost.imap.session import PAGE, IMAPSession
from mailhost.imap.turns import Turn
from mailhost.imap.values import LOGGED_IN
from mailhost.imap.wildcards import Matcher
from mailhost.store import mailboxes
from mailhost.store.names import SEPARATOR, composed

LONGEST_PATTERN = 1000
TOO_LONG = no("The pattern is too long", LIMIT)
QUICK_ROWS = 500
"""So many names are put in order within the loop."""
NOSELECT = "\\Noselect"


@dataclass(frozen=True, slots=True)
class Lookup:
    reference: str
    pattern: str


def parse(reader: Reader) -> Lookup:
    """List = "LIST" SP mailbox SP list-mailbox"""
    reader.space()
    reference = reader.mailbox()
    reader.space()
    pattern = reader.list_mailbox()
    reader.end()
    return Lookup(reference, pattern)


async def list_(session: IMAPSession, request: Lookup) -> Status:
    return await tell_all(session, "LIST", request, no_more)


def no_more(_: Name) -> Sequence[str]:
    """LIST has no attributes of its own."""
    return ()


async def tell_all(
    session: IMAPSession, kind: str, request: Lookup, own: Callable[[Name], Iterable[str]] = no_more
) -> Status:
    """All names that match. An empty pattern asks for the separator."""
    if not request.pattern:
        session.write(listed(kind.encode(), [NOSELECT], SEPARATOR, ""))
        return ok(f"{kind} completed")
    if are_too_long(request.reference, [request.pattern]):
        return TOO_LONG
    answer = Answer(session, kind)
    async for each in matching(session, request.reference, [request.pattern]):
        if each.is_there:
            noselect = [NOSELECT] if each.mailbox is None else []
            await answer.tell(each, [*noselect, *attributes(session, each), *own(each)])
    return await answer.end()


async def lsub(session: IMAPSession, request: Lookup) -> Status:
    """With `%`, also the name above one that is subscribed to; what is not there cannot be selected (RFC 3501 section 6.3.9)."""
    if are_too_long(request.reference, [request.pattern]):
        return TOO_LONG
    answer, parents_too = Answer(session, "LSUB"), "%" in request.reference + request.pattern
    async for each in matching(session, request.reference, [request.pattern]):
        if each.subscribed or (parents_too and each.above_subscribed):
            selectable = each.subscribed and each.mailbox is not None
            await answer.tell(each, [*([] if selectable else [NOSELECT]), *attributes(session, each)])
    return await answer.end()


async def matching(session: IMAPSession, reference: str, patterns: Sequence[str]) -> AsyncIterator[Name]:
    """Each name that matches one of the patterns."""
    matchers = [Matcher(composed(reference + pattern)) for pattern in patterns]
    turn = Turn()
    for each in await names(session):
        spelt = composed(each.name)
        for matches in matchers:
            await turn.breathe()
            if matches(spelt):
                yield each
                break


def are_too_long(reference: str, patterns: Sequence[str]) -> bool:
    """Each takes time for each name."""
    return sum(len(reference) + len(pattern) for pattern in patterns) > LONGEST_PATTERN


async def names(session: IMAPSession) -> list[Name]:
    """Of a large account they are read and put in order elsewhere than in the loop."""
    rows = await session.read_store(mailboxes.count_listed, session.account)
    every, subscribed = await session.read_store(mailboxes.list_with_subscriptions, session.account, rows)
    if rows <= QUICK_ROWS:
        return hierarchy(every, subscribed)
    found: list[Name] = await session.run_in_thread(lambda: hierarchy(every, subscribed))
    return found


def attributes(session: IMAPSession, each: Name) -> list[str]:
    """What the extensions say of every name."""
    return [attribute for says in session.dialect.list_attributes for attribute in says(each)]


class Answer:
    """The lines of one LIST, a page at a time."""

    def __init__(self, session: IMAPSession, kind: str) -> None:
        self._session = session
        self._kind = kind
        self._lines: list[bytes] = []

    async def tell(self, each: Name, attributes: Iterable[str], extended: bytes = b"", more: bytes = b"") -> None:
        """`more` are responses of their own that belong to it."""
        unique = list(dict.fromkeys(attributes))
        kind, utf8 = self._kind.encode(), self._session.utf8
        self._lines.append(listed(kind, unique, SEPARATOR, each.name, utf8=utf8, extended=extended) + more)
        if len(self._lines) >= PAGE:
            await self._flush()

    async def end(self) -> Status:
        await self._flush()
        return ok(f"{self._kind} completed")

    async def _flush(self) -> None:
        lines, self._lines = self._lines, []
        await self._session.prompt(b"".join(lines))


COMMANDS: tuple[Command[IMAPSession, Reader, Status], ...] = (
    Command("LIST", LOGGED_IN, parse, list_, rfc=3501),
    Command("LSUB", LOGGED_IN, parse, lsub, rfc=3501),
)
