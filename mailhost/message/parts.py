"""Where each section of a message begins and ends: a packed table, read by section number (RFC 3501 section 6.4.5).

The table lists the parts in the order in which they begin; each row knows how many rows its subtree has. A row is a
part: a leaf, a multipart before its parts, or a message/rfc822 before the message that it carries.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

_ROW = struct.Struct("<IIIIB")
LARGEST_CONTENT = 0xFFFF_FFFF


class Kind(IntEnum):
    LEAF = 0
    MULTIPART = 1
    MESSAGE = 2


@dataclass(frozen=True, slots=True)
class Part:
    """Offsets into the content: the part's own header, then its body."""

    header_start: int
    body_start: int
    end: int
    is_message: bool
    """Its body is a message; `message()` says where that one's header and text are."""
    is_leaf: bool = field(default=False, compare=False)


@dataclass(slots=True)
class PartWriter:
    """Collects rows while the scanner descends."""

    rows: list[tuple[int, int, int, int, int]]

    def begin(self) -> int:
        """Keep the place of a part whose own parts come next."""
        self.rows.append((0, 0, 0, 0, 0))
        return len(self.rows) - 1

    def finish(self, place: int, header_start: int, body_start: int, end: int, kind: Kind) -> None:
        self.rows[place] = (header_start, body_start, end, len(self.rows) - place, kind)

    def packed(self) -> bytes:
        return b"".join([_ROW.pack(*row) for row in self.rows])


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table, for whoever walks through a whole message."""

    header_start: int
    body_start: int
    end: int
    subtree: int
    """How many rows the part and its own parts have."""
    kind: Kind


def rows(parts: bytes) -> list[Row]:
    """All rows, in the order in which the parts begin."""
    return [Row(start, body, end, subtree, Kind(kind)) for start, body, end, subtree, kind in _ROW.iter_unpack(parts)]


def part(parts: bytes, section: tuple[int, ...]) -> Part | None:
    """The part of that number, or None; `()` is the whole message. (1,) of a message without parts is its body."""
    place = _place(parts, section)
    return None if place is None else _part(parts, place)


def leaves(parts: bytes) -> Iterator[Part]:
    """The parts without parts of their own, in order."""
    return (each for each in every(parts) if each.is_leaf)


def every(parts: bytes) -> Iterator[Part]:
    """All parts, in the order in which they begin; an enclosed message after the part that it is in."""
    return (_part(parts, place) for place in range(len(parts) // _ROW.size))


def message(parts: bytes, section: tuple[int, ...]) -> Part | None:
    """The message whose HEADER and TEXT a section names: the whole one for `()`, else the one that the part carries."""
    place = _place(parts, section)
    if place is None or not section:
        return None if place is None else _part(parts, place)
    return _part(parts, place + 1) if _kind(parts, place) == Kind.MESSAGE else None


def _place(parts: bytes, section: tuple[int, ...]) -> int | None:
    place: int | None = 0
    carrier: int | None = 0  # whose parts the next number counts: a message or a multipart
    for number in section:
        place = None if carrier is None else _numbered(parts, carrier, number)
        if place is None:
            return None
        carrier = {Kind.LEAF: None, Kind.MULTIPART: place, Kind.MESSAGE: place + 1}[_kind(parts, place)]
    return place


def _numbered(parts: bytes, carrier: int, number: int) -> int | None:
    if _kind(parts, carrier) != Kind.MULTIPART:
        return carrier if number == 1 else None
    for position, child in enumerate(_children(parts, carrier), start=1):
        if position == number:
            return child
    return None


def _children(parts: bytes, multipart: int) -> Iterator[int]:
    child, after = multipart + 1, multipart + _subtree(parts, multipart)
    while child < after:
        yield child
        child += _subtree(parts, child)


def _row(parts: bytes, place: int) -> tuple[int, int, int, int, int]:
    return _ROW.unpack_from(parts, place * _ROW.size)


def _subtree(parts: bytes, place: int) -> int:
    return _row(parts, place)[3]


def _kind(parts: bytes, place: int) -> Kind:
    return Kind(_row(parts, place)[4])


def _part(parts: bytes, place: int) -> Part:
    header_start, body_start, end, _, kind = _row(parts, place)
    return Part(header_start, body_start, end, kind == Kind.MESSAGE, kind == Kind.LEAF)
