"""LIST-EXTENDED: LIST with several patterns, with a choice of names and of what is told of them (RFC 5258)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.imap.commands.list import TOO_LONG, Answer, Lookup, are_too_long, attributes, list_, matching, names
from mailhost.imap.extensions import children
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader, Rule
from mailhost.imap.hierarchy import Name, superiors
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.turns import Turn
from mailhost.imap.values import LOGGED_IN

MOST_PATTERNS = 100
NONEXISTENT = "\\NonExistent"
"""It implies that the name cannot be selected (RFC 5258 section 3)."""
RECURSIVEMATCH, REMOTE = b"RECURSIVEMATCH", b"REMOTE"
Selection = Callable[[Name], bool]


@dataclass(frozen=True, slots=True)
class Return:
    """What is told more of each name: attributes in its line, or responses of their own after it."""

    attributes: Callable[[Name], Sequence[str]] | None = None
    after: Callable[[IMAPSession, Name], Awaitable[bytes]] | None = None


@dataclass(frozen=True, slots=True)
class Extended:
    reference: str
    patterns: tuple[str, ...]
    selections: Mapping[bytes, Selection]
    """A name is listed where each of them holds."""
    recursive: bool
    returns: tuple[Return, ...]


def parse(reader: Reader) -> Lookup | Extended:
    """List = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]"""
    reader.space()
    selected = _select_options(reader) if reader.follows(b"(") else None
    reference = reader.mailbox()
    reader.space()
    several = reader.follows(b"(")
    patterns = tuple(reader.parenthesised(reader.list_mailbox, MOST_PATTERNS) if several else [reader.list_mailbox()])
    returned = None if reader.at_end() else _return_options(reader)
    reader.end()
    if not patterns:
        raise SyntaxProblem("A list of patterns is empty")
    if selected is None and returned is None and not several:
        return Lookup(reference, patterns[0])
    return _extended(reference, patterns, selected or {}, returned or {})


def _select_options(reader: Reader) -> dict[bytes, Selection | None]:
    """list-select-opts = "(" [list-select-opt *(SP list-select-opt)] ")";"""
    known = {**reader.vocabulary.list_selections, RECURSIVEMATCH: None, REMOTE: None}

    def option() -> bytes:
        name = reader.atom().upper()
        if name not in known:
            raise SyntaxProblem("An unknown selection option")
        return name

    chosen = {name: known[name] for name in reader.parenthesised(option)}
    reader.space()
    if RECURSIVEMATCH in chosen and not any(chosen.values()):
        raise SyntaxProblem("RECURSIVEMATCH goes with another option")
    return chosen


def _return_options(reader: Reader) -> dict[bytes, Return]:
    """list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")";"""
    reader.space()
    if not reader.accept_word(b"RETURN"):
        raise SyntaxProblem("RETURN was expected")
    reader.space()
    rules: Mapping[bytes, Rule] = reader.vocabulary.list_returns
    chosen: dict[bytes, Return] = {}

    def option() -> None:
        name = reader.atom().upper()
        if name not in rules or name in chosen:
            raise SyntaxProblem("A return option is given twice" if name in chosen else "An unknown return option")
        found = rules[name](reader)
        assert isinstance(found, Return)
        chosen[name] = found

    reader.parenthesised(option)
    return chosen


def _extended(
    reference: str,
    patterns: tuple[str, ...],
    selected: Mapping[bytes, Selection | None],
    returned: Mapping[bytes, Return],
) -> Extended:
    """Who selects by subscription is told it as well (RFC 5258 section 3.1)."""
    selections = {name: holds for name, holds in selected.items() if holds is not None}
    implied = {SUBSCRIBED: Return(subscription)} if SUBSCRIBED in selections else {}
    returns = tuple({**implied, **returned}.values())
    return Extended(reference, patterns, selections, RECURSIVEMATCH in selected, returns)


async def run(session: IMAPSession, request: Lookup | Extended) -> Status:
    if isinstance(request, Lookup):
        return await list_(session, request)
    if are_too_long(request.reference, request.patterns):
        return TOO_LONG
    above = await _above_selected(session, request) if request.recursive else set()
    answer = Answer(session, "LIST")
    async for each in matching(session, request.reference, request.patterns):
        if _is_selected(each, request.selections) or each.name in above:
            extended = _child_info(request.selections) if each.name in above else b""
            await answer.tell(
                each, _attributes(session, each, request.returns), extended, await _after(session, each, request)
            )
    await answer.end()
    return ok("LIST completed")


def _is_selected(each: Name, selections: Mapping[bytes, Selection]) -> bool:
    """Without a selection, what is there."""
    return all(holds(each) for holds in selections.values()) if selections else each.is_there


async def _above_selected(session: IMAPSession, request: Extended) -> set[str]:
    """The names above those that are selected, whether or not these match a pattern (RFC 5258 section 3.5)."""
    above, turn = set[str](), Turn()
    for each in await names(session):
        await turn.breathe()
        if _is_selected(each, request.selections):
            above.update(superiors(each.name))
    return above


def _attributes(session: IMAPSession, each: Name, returns: Sequence[Return]) -> list[str]:
    own = [] if each.mailbox else [NONEXISTENT]
    asked = [attribute for told in returns if told.attributes for attribute in told.attributes(each)]
    return [*own, *attributes(session, each), *asked]


async def _after(session: IMAPSession, each: Name, request: Extended) -> bytes:
    return b"".join([await told.after(session, each) for told in request.returns if told.after])


def _child_info(selections: Mapping[bytes, Selection]) -> bytes:
    """childinfo-extended-item = "CHILDINFO" SP "(" list-select-base-opt-quoted *(SP list-select-base-opt-quoted) ")";"""
    return b'("CHILDINFO" (%b))' % b" ".join([b'"%b"' % name for name in selections])


def subscription(each: Name) -> tuple[str, ...]:
    return ("\\Subscribed",) if each.subscribed else ()


def is_subscribed(each: Name) -> bool:
    return each.subscribed


def tell_subscription(_: Reader) -> Return:
    """return-option = "SUBSCRIBED";"""
    return Return(subscription)


def tell_children(_: Reader) -> Return:
    """return-option =/ "CHILDREN";"""
    return Return(children.attributes)


SUBSCRIBED = b"SUBSCRIBED"
COMMAND: Command[IMAPSession, Reader, Status] = Command("LIST", LOGGED_IN, parse, run, rfc=5258)
EXTENSION = Extension(
    "LIST-EXTENDED",
    rfc=5258,
    commands=(COMMAND,),
    list_selections={SUBSCRIBED: is_subscribed},
    list_returns={SUBSCRIBED: tell_subscription, b"CHILDREN": tell_children},
)
