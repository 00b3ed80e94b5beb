"""What IMAP's commands speak of: message sets, parts of messages, literals; values without I/O."""

import enum
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NewType

from mailhost.ids import Uid

MessageNumber = NewType("MessageNumber", int)
"""A message's place in what one client has been told of its mailbox, from 1."""

STAR = 1 << 32
"""`*`, the largest number in use; above all that can be written."""

Range = tuple[int, int]


class State(enum.Enum):
    """RFC 3501 section 3."""

    NOT_AUTHENTICATED = "not authenticated"
    AUTHENTICATED = "authenticated"
    SELECTED = "selected"

    def __str__(self) -> str:
        return self.value


ANY_STATE = frozenset(State)
NOT_AUTHENTICATED = frozenset({State.NOT_AUTHENTICATED})
LOGGED_IN = frozenset({State.AUTHENTICATED, State.SELECTED})
SELECTED = frozenset({State.SELECTED})


@dataclass(frozen=True, slots=True)
class MessageSet:
    """A sequence-set: ascending ranges that do not touch, never a list of numbers; whether they count UIDs."""

    ranges: tuple[Range, ...]
    by_uid: bool = False

    def __bytes__(self) -> bytes:
        return b",".join(_written(low, high) for low, high in self.ranges)

    def up_to(self, last: int) -> list[Range]:
        """The ranges with `*` as `last`; what lies above it, but for `*` itself, is kept."""
        if not self.ranges or self.ranges[-1][1] != STAR:
            return list(self.ranges)
        low, _ = self.ranges[-1]
        return merged([*self.ranges[:-1], (min(low, last), last)])


def merged(ranges: Iterable[Range]) -> list[Range]:
    """The same numbers in ascending ranges that do not touch."""
    result: list[Range] = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(high, result[-1][1]))
        else:
            result.append((low, high))
    return result


def _written(low: int, high: int) -> bytes:
    first, last = (b"*" if each == STAR else b"%d" % each for each in (low, high))
    return first if low == high else first + b":" + last


class Text(enum.Enum):
    """What of a part a section asks for (RFC 3501 section 6.4.5)."""

    ALL = b""
    HEADER = b"HEADER"
    FIELDS = b"HEADER.FIELDS"
    FIELDS_NOT = b"HEADER.FIELDS.NOT"
    TEXT = b"TEXT"
    MIME = b"MIME"


@dataclass(frozen=True, slots=True)
class Section:
    """section-spec: a part by its numbers, and what of it."""

    part: tuple[int, ...] = ()
    text: Text = Text.ALL
    fields: tuple[bytes, ...] = ()


class Item(enum.Enum):
    """FETCH items that are one word (RFC 3501 section 6.4.5)."""

    FLAGS = b"FLAGS"
    UID = b"UID"
    INTERNALDATE = b"INTERNALDATE"
    SIZE = b"RFC822.SIZE"
    ENVELOPE = b"ENVELOPE"
    BODY = b"BODY"
    BODYSTRUCTURE = b"BODYSTRUCTURE"


@dataclass(frozen=True, slots=True)
class BodyItem:
    """Octets of a message: BODY[...], and its older names RFC822, RFC822.HEADER and RFC822.TEXT."""

    section: Section
    peek: bool = False
    partial: tuple[int, int] | None = None
    """First octet and most octets."""
    name: bytes | None = None
    """The older name, if it was asked for by that."""


@dataclass(frozen=True, slots=True)
class IndexItem:
    """A FETCH item of an extension, whose values the index has."""

    form: bytes
    """Its name and its value, as a format."""
    values: Callable[[Any, Sequence[Uid]], Iterable[object]]
    """Of a view, for ascending UIDs."""


FetchItem = Item | IndexItem | BodyItem


@dataclass(frozen=True, slots=True)
class Literal:
    """A literal that is announced at the end of a line, not yet read."""

    octets: int
    synchronizing: bool
    """Whether the client waits for "+" before it sends."""


@dataclass(frozen=True, slots=True)
class MessageData:
    """A message that is still on its way: what APPEND ends with."""

    literal: Literal
    closing: bytes = b""
    """What stands behind the octets, before the end of the line."""
    utf8: bool = False
    """Whether the client has said that its header is UTF-8."""


@dataclass(frozen=True, slots=True)
class FlagList:
    """Flags as a client names them: the bits of the system's, and keywords."""

    system: int = 0
    keywords: tuple[str, ...] = ()
