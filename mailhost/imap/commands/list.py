"""LIST and LSUB: which mailboxes there are (RFC 3501 sections 6.3.8, 6.3.9; RFC 3348, RFC 6154 for the attributes)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailhost.conversation.command import Command
from mailhost.imap.grammar import Reader
from mailhost.imap.responses import LIMIT, Status, listed, no, ok
from mailhost.imap.session import PAGE, IMAPSession
from mailhost.imap.values import LOGGED_IN
from mailhost.imap.wildcards import Matcher
from mailhost.store import mailboxes
from mailhost.store.mailboxes import SEPARATOR
from mailhost.store.values import Mailbox

LONGEST_PATTERN = 1000
TOO_LONG = no("The pattern is too long", LIMIT)


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
    """An empty pattern asks for the separator."""
    if not request.pattern:
        session.write(listed(b"LIST", ["\\Noselect"], SEPARATOR, ""))
        return ok("LIST completed")
    every = await session.read_store(mailboxes.list_all, session.account)
    return await _tell(session, b"LIST", request, _as_tree(every))


async def lsub(session: IMAPSession, request: Lookup) -> Status:
    every = await session.read_store(mailboxes.list_all, session.account)
    return await _tell(session, b"LSUB", request, _as_tree([each for each in every if each.subscribed]))


async def _tell(session: IMAPSession, kind: bytes, request: Lookup, tree: Sequence[tuple[str, list[str]]]) -> Status:
    text = request.reference + request.pattern
    if len(text) > LONGEST_PATTERN:
        return TOO_LONG
    matches = Matcher(mailboxes.composed(text))
    for start in range(0, len(tree), PAGE):
        found = [
            (name, attributes) for name, attributes in tree[start : start + PAGE] if matches(mailboxes.composed(name))
        ]
        await session.prompt(
            b"".join([listed(kind, attributes, SEPARATOR, name, utf8=session.utf8) for name, attributes in found])
        )
    return ok(f"{kind.decode()} completed")


def _as_tree(every: Sequence[Mailbox]) -> list[tuple[str, list[str]]]:
    """Names with their attributes; a name that only others stand under is listed, and cannot be selected."""
    parents = {parent for each in every for parent in superiors(each.name)}
    known = {each.name for each in every}
    tree = [(each.name, _attributes(each, parents)) for each in every]
    tree += [(name, ["\\Noselect", "\\HasChildren"]) for name in sorted(parents - known)]
    return tree


def _attributes(each: Mailbox, parents: set[str]) -> list[str]:
    children = "\\HasChildren" if each.name in parents else "\\HasNoChildren"
    return [children] if each.special_use is None else [children, str(each.special_use)]


def superiors(name: str) -> Iterator[str]:
    """The names above a mailbox, the highest first."""
    parts = name.split(SEPARATOR)
    for count in range(1, len(parts)):
        yield SEPARATOR.join(parts[:count])


COMMANDS: tuple[Command[IMAPSession, Reader, Status], ...] = (
    Command("LIST", LOGGED_IN, parse, list_, rfc=3501),
    Command("LSUB", LOGGED_IN, parse, lsub, rfc=3501),
)
