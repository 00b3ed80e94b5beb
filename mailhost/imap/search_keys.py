"""What SEARCH may ask for, and how it reads (RFC 3501 section 6.4.4). Pure."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from typing import Any

from mailhost.conversation.command import SyntaxProblem
from mailhost.ids import Uid
from mailhost.imap.grammar import DEEPEST, Reader
from mailhost.imap.values import MessageSet
from mailhost.store.values import SystemFlag

MOST_KEYS = 1_000
LONGEST_TEXT = 1_000


@dataclass(frozen=True, slots=True)
class Everything:
    """ALL"""


@dataclass(frozen=True, slots=True)
class Numbered:
    """A sequence-set, or UID and one."""

    chosen: MessageSet


@dataclass(frozen=True, slots=True)
class Flagged:
    """Messages whose flags under `mask` are `value`."""

    mask: int
    value: int


@dataclass(frozen=True, slots=True)
class HasKeyword:
    name: str
    present: bool


@dataclass(frozen=True, slots=True)
class IsRecent:
    """RECENT; with `unseen`, NEW."""

    recent: bool
    unseen: bool = False


class Clock(Enum):
    """Which of a message's dates."""

    INTERNAL = "when it arrived"
    SENT = "what its Date field says"


@dataclass(frozen=True, slots=True)
class Dated:
    """A day, without regard to time and zone."""

    clock: Clock
    compare: Callable[[date, date], bool]
    day: date


@dataclass(frozen=True, slots=True)
class Sized:
    compare: Callable[[int, int], bool]
    octets: int


@dataclass(frozen=True, slots=True)
class InField:
    """A field of the header holds this text; an empty text asks for the field alone."""

    name: bytes
    text: str


@dataclass(frozen=True, slots=True)
class InText:
    """The body holds this text, or (TEXT) the header or the body."""

    text: str
    header_too: bool


@dataclass(frozen=True, slots=True)
class Not:
    key: "Key"


@dataclass(frozen=True, slots=True)
class Or:
    one: "Key"
    other: "Key"


@dataclass(frozen=True, slots=True)
class All:
    """Several keys, every one of which must hold."""

    keys: tuple["Key", ...]


@dataclass(frozen=True, slots=True)
class Indexed:
    """What an extension asks of a message; the view of the session answers."""

    holds: Callable[[Any, Uid], bool]


Key = (
    Indexed
    | Everything
    | Numbered
    | Flagged
    | HasKeyword
    | IsRecent
    | Dated
    | Sized
    | InField
    | InText
    | Not
    | Or
    | All
)


def _with(flag: SystemFlag) -> Flagged:
    return Flagged(int(flag), int(flag))  # an IntFlag's own operators take 2 us a message


def _without(flag: SystemFlag) -> Flagged:
    return Flagged(int(flag), 0)


WORDS: Mapping[bytes, Key] = {
    b"ALL": Everything(),
    b"ANSWERED": _with(SystemFlag.ANSWERED),
    b"DELETED": _with(SystemFlag.DELETED),
    b"DRAFT": _with(SystemFlag.DRAFT),
    b"FLAGGED": _with(SystemFlag.FLAGGED),
    b"SEEN": _with(SystemFlag.SEEN),
    b"UNANSWERED": _without(SystemFlag.ANSWERED),
    b"UNDELETED": _without(SystemFlag.DELETED),
    b"UNDRAFT": _without(SystemFlag.DRAFT),
    b"UNFLAGGED": _without(SystemFlag.FLAGGED),
    b"UNSEEN": _without(SystemFlag.SEEN),
    b"NEW": IsRecent(recent=True, unseen=True),
    b"OLD": IsRecent(recent=False),
    b"RECENT": IsRecent(recent=True),
}
DATES: Mapping[bytes, tuple[Clock, Callable[[date, date], bool]]] = {
    b"BEFORE": (Clock.INTERNAL, operator.lt),
    b"ON": (Clock.INTERNAL, operator.eq),
    b"SINCE": (Clock.INTERNAL, operator.ge),
    b"SENTBEFORE": (Clock.SENT, operator.lt),
    b"SENTON": (Clock.SENT, operator.eq),
    b"SENTSINCE": (Clock.SENT, operator.ge),
}
SIZES: Mapping[bytes, Callable[[int, int], bool]] = {b"LARGER": operator.gt, b"SMALLER": operator.lt}
FIELDS = frozenset({b"BCC", b"CC", b"FROM", b"SUBJECT", b"TO"})


Ending = Callable[[Any, Sequence[Uid]], bytes]
"""What a key adds to the end of a response that names these messages, at least one, of a view."""


class KeyReader:
    """Reads the keys of one SEARCH; counts them, and how deep they go."""

    def __init__(self, reader: Reader, charset: str) -> None:
        self._reader = reader
        self._charset = charset
        self.ends: list[Ending] = []
        self._keys = self._depth = 0

    @property
    def reader(self) -> Reader:
        """For the keys of extensions."""
        return self._reader

    def keys(self) -> All:
        """search-key *(SP search-key)"""
        keys = [self.key()]
        while not self._reader.at_end():
            self._reader.space()
            keys.append(self.key())
        return All(tuple(keys))

    def key(self) -> Key:
        """search-key = "ALL" / "ANSWERED" / ... / sequence-set / "(" search-key *(SP search-key) ")";"""
        self._keys += 1
        self._depth += 1
        if self._keys > MOST_KEYS or self._depth > DEEPEST:
            raise SyntaxProblem("The search asks for too much")
        key = self._any_key()
        self._depth -= 1
        return key

    def _any_key(self) -> Key:
        reader = self._reader
        if reader.follows(b"("):
            inner = tuple(reader.parenthesised(self.key))
            if not inner:
                raise SyntaxProblem("An empty list of search keys")
            return All(inner)
        if reader.at_number():
            return Numbered(reader.numbers())
        word = reader.word()
        return WORDS[word] if word in WORDS else self._with_arguments(word)

    def _with_arguments(self, word: bytes) -> Key:
        reader = self._reader
        reader.space()
        if word in FIELDS:
            return InField(word, self._text())
        if word in DATES:
            return Dated(*DATES[word], reader.date())
        if word in SIZES:
            return Sized(SIZES[word], reader.number())
        rule = self._RULES.get(word) or reader.added(reader.vocabulary.search_keys, word, "search key")
        return rule(self)

    def _header(self) -> Key:
        """Header = "HEADER" SP header-fld-name SP astring."""
        name = self._reader.astring()
        self._reader.space()
        return InField(name, self._text())

    def _or(self) -> Key:
        """Or = "OR" SP search-key SP search-key."""
        one = self.key()
        self._reader.space()
        return Or(one, self.key())

    def _uid(self) -> Key:
        """Uid = "UID" SP sequence-set."""
        return Numbered(MessageSet(self._reader.message_set().ranges, by_uid=True))

    def _text(self) -> str:
        """astring, in the charset of the search"""
        octets = self._reader.astring()
        if len(octets) > LONGEST_TEXT:
            raise SyntaxProblem("A text to search for is too long")
        try:
            return octets.decode(self._charset)
        except UnicodeDecodeError:
            raise SyntaxProblem("The text is not in the charset of the search") from None

    _RULES: Mapping[bytes, Callable[["KeyReader"], Key]] = {
        b"BODY": lambda self: InText(self._text(), header_too=False),
        b"TEXT": lambda self: InText(self._text(), header_too=True),
        b"HEADER": _header,
        b"KEYWORD": lambda self: HasKeyword(self._reader.keyword(), present=True),
        b"UNKEYWORD": lambda self: HasKeyword(self._reader.keyword(), present=False),
        b"NOT": lambda self: Not(self.key()),
        b"OR": _or,
        b"UID": _uid,
    }
