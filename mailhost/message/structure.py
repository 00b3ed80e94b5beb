"""One pass over a message: ENVELOPE, BODYSTRUCTURE, where its parts are, and the header fields that clients list.

It runs once, at acceptance, and gives finished bytes. A multipart's region is cut at its own delimiters before its
parts are looked at, so an outer boundary always wins over an inner one, and no part reaches beyond its parent. The work
is linear: each level of nesting (`Limits.depth`) searches a region once with `find`.
"""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from mailhost.message.budget import Budget, Limits, budget
from mailhost.message.dates import parse_date
from mailhost.message.envelope import envelope
from mailhost.message.lexical import unfold
from mailhost.message.media import (
    EMBEDDED_MESSAGE,
    MOST_USUAL_OCTETS,
    OPAQUE,
    PLAIN_TEXT,
    Fields,
    Leaf,
    Media,
    basic_fields,
    common_extension,
    leaf_extension,
    media_of,
    usual_leaf,
    written_parameters,
)
from mailhost.message.parts import LARGEST_CONTENT, Kind, PartWriter
from mailhost.message.quoting import string

Content = bytes | mmap.mmap

CACHED_FIELDS = frozenset(
    b"date from to cc subject message-id in-reply-to references sender reply-to content-type list-id importance"
    b" x-priority priority".split()
)
"""What clients ask for when they list a mailbox."""

_FIELD_NAME = re.compile(rb"[!-9;-~]++[ \t]*+:")
_FIELD = re.compile(rb"^(([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*)\n?)", re.MULTILINE)
_EMPTY_LINE = re.compile(rb"\n\r?\n")
_DELIMITER_END = re.compile(rb"(--)?[ \t]*+(?:\r?\n|\r?\Z)")
_MESSAGE_ID = re.compile(rb"<([^<>]*+)>")
_BLANKS = b" \t\r\n\0"
_COUNT_AT_ONCE = 1024 * 1024
_FIELDS_AT_ONCE = 16 * 1024
"""Octets; at once is twice as fast as one by one."""
_SEARCH_AT_ONCE = 256 * 1024
"""No single call looks at more: a scan in a thread lets others go on between two calls only."""


@dataclass(frozen=True, slots=True)
class Scanned:
    header_octets: int
    """The header block with its empty line; 0 when the content begins with neither a field name nor an empty line."""
    begins_with_field: bool
    """When False, fields that we put before the content must end with an empty line of their own."""
    envelope: bytes
    body: bytes
    body_structure: bytes
    parts: bytes
    """For `parts.part` and `parts.message`."""
    header_cache: bytes
    """The fields of `CACHED_FIELDS` as they came; empty as well when the header is larger than `Limits.header_octets`."""
    sent_date: int | None
    """The Date field in milliseconds since 1970 UTC."""
    message_id: bytes
    """With its angle brackets, without blanks; empty if there is none."""


@dataclass(slots=True)
class _Entity:
    """A part, its header read, its body not yet looked at."""

    start: int
    body: int
    end: int
    depth: int
    fields: Fields


class _Described(NamedTuple):
    """What a part says of itself, to whoever lists it."""

    kind: Kind
    body: bytes
    structure: bytes


def scan(content: Content, limits: Limits = Limits()) -> Scanned:
    """Take a message apart. Every content gives an answer; ValueError only for 4 GiB and more."""
    if len(content) > LARGEST_CONTENT:
        raise ValueError("a message of 4 GiB or more has no table of parts")
    scanner = _Scanner(content, limits)
    header_octets = scanner.header_end(0, len(content))
    raw_fields = scanner.raw_fields(0, header_octets)
    fields = _first_of_each(raw_fields)
    root = scanner.described(_Entity(0, header_octets, len(content), 0, fields), PLAIN_TEXT)
    return Scanned(
        header_octets=header_octets,
        begins_with_field=header_octets > 0 and content[:1] not in b"\r\n",
        envelope=envelope(fields, scanner.budget),
        body=root.body,
        body_structure=root.structure,
        parts=scanner.parts.packed(),
        header_cache=_header_cache(raw_fields) if header_octets <= limits.header_octets else b"",
        sent_date=_sent_date(fields),
        message_id=_message_id(fields),
    )


RawField = tuple[bytes, bytes, bytes]
"""The whole field, its name, its value: all as they came."""


def _first_of_each(raw_fields: list[RawField]) -> Fields:
    return {name.lower(): value for _, name, value in reversed(raw_fields)}


def _header_cache(raw_fields: list[RawField]) -> bytes:
    return b"".join([raw for raw, name, _ in raw_fields if name.lower() in CACHED_FIELDS])


def _sent_date(fields: Fields) -> int | None:
    value = fields.get(b"date")
    return None if value is None else parse_date(unfold(value))


def _message_id(fields: Fields) -> bytes:
    found = _MESSAGE_ID.search(fields.get(b"message-id", b""))
    return found[0].translate(None, _BLANKS) if found else b""


class _Scanner:
    __slots__ = ("budget", "content", "limits", "parts")

    def __init__(self, content: Content, limits: Limits) -> None:
        self.content = content
        self.limits = limits
        self.budget: Budget = budget(limits)
        self.parts = PartWriter([])

    def header_end(self, start: int, end: int) -> int:
        """Where the body begins. A first line that is no field makes all of it body."""
        if self.content[start : min(start + 1, end)] == b"\n":
            return start + 1
        if self.content[start : min(start + 2, end)] == b"\r\n":
            return start + 2
        if not _FIELD_NAME.match(self.content, start, min(end, start + self.limits.header_octets)):
            return start
        for at in range(start, end, _SEARCH_AT_ONCE):
            if empty_line := _EMPTY_LINE.search(self.content, at, min(at + _SEARCH_AT_ONCE + 2, end)):
                return empty_line.end()
        return end

    def raw_fields(self, start: int, header_end: int) -> list[RawField]:
        length = min(header_end - start, self.limits.header_octets, max(self.budget.header_octets, 0))
        self.budget.header_octets -= length
        block = self.content[start : start + length]
        if length <= _FIELDS_AT_ONCE:
            return _FIELD.findall(block)
        return [(field[1], field[2], field[3]) for field in _FIELD.finditer(block)]

    def described(self, entity: _Entity, default: Media) -> _Described:
        """One row of the table, and what BODY and BODYSTRUCTURE say of it."""
        self.budget.parts -= 1
        place = self.parts.begin()
        leaf = self._usual_leaf(entity) if default is PLAIN_TEXT else None
        described = (
            self._taken_apart(entity, media_of(entity.fields, default, self.budget))
            if leaf is None
            else self._described_leaf(entity, leaf)
        )
        self.parts.finish(place, entity.start, entity.body, entity.end, described.kind)
        return described

    def _taken_apart(self, entity: _Entity, media: Media) -> _Described:
        read = self._multipart if media.main == b"MULTIPART" else self._embedded if media.is_message else None
        if read is None:
            return self._leaf(entity, media)
        if entity.depth >= self.limits.depth or self.budget.header_octets <= 0:
            return self._leaf(entity, OPAQUE)
        return read(entity, media)

    def _usual_leaf(self, entity: _Entity) -> Leaf | None:
        return usual_leaf(entity.fields, self.budget) if entity.body - entity.start <= MOST_USUAL_OCTETS else None

    def _leaf(self, entity: _Entity, media: Media) -> _Described:
        basic, extension = basic_fields(media, entity.fields), leaf_extension(entity.fields, self.budget)
        return self._described_leaf(entity, Leaf(media.main == b"TEXT", basic, extension, 0))

    def _described_leaf(self, entity: _Entity, leaf: Leaf) -> _Described:
        basic = b"%b %d" % (leaf.basic, entity.end - entity.body)
        if leaf.is_text:
            basic = b"%b %d" % (basic, self._lines(entity))
        return _Described(Kind.LEAF, b"(%b)" % basic, b"(%b %b)" % (basic, leaf.extension))

    def _embedded(self, entity: _Entity, media: Media) -> _Described:
        """The ENVELOPE and BODY of the message in message/rfc822 stand between its size and its lines."""
        message = self._entity(entity.body, entity.end, entity.depth + 1)
        inner = self.described(message, PLAIN_TEXT)
        size = entity.end - entity.body
        basic = b"%b %d %b" % (basic_fields(media, entity.fields), size, envelope(message.fields, self.budget))
        lines = self._lines(entity)
        extension = leaf_extension(entity.fields, self.budget)
        return _Described(
            Kind.MESSAGE,
            b"(%b %b %d)" % (basic, inner.body, lines),
            b"(%b %b %d %b)" % (basic, inner.structure, lines, extension),
        )

    def _multipart(self, entity: _Entity, media: Media) -> _Described:
        """IMAP has no multipart without parts: one that is empty or broken is text."""
        default = EMBEDDED_MESSAGE if media.sub == b"DIGEST" else PLAIN_TEXT
        regions = self._regions(media.boundary, entity.body, entity.end)
        children = [self._child(start, end, entity.depth + 1, default) for start, end in regions]
        if not children:
            return self._leaf(entity, PLAIN_TEXT)
        sub = string(media.sub)
        extension = b"%b %b" % (written_parameters(media.parameters), common_extension(entity.fields, self.budget))
        return _Described(
            Kind.MULTIPART,
            b"(%b %b)" % (b"".join([child.body for child in children]), sub),
            b"(%b %b %b)" % (b"".join([child.structure for child in children]), sub, extension),
        )

    def _child(self, start: int, end: int, depth: int, default: Media) -> _Described:
        """A part of a multipart; beyond the most parts, all that follows as one."""
        if self.budget.parts > 0:
            return self.described(self._entity(start, end, depth), default)
        self.parts.finish(self.parts.begin(), start, start, end, Kind.LEAF)
        return self._leaf(_Entity(start, start, end, depth, {}), OPAQUE)

    def _entity(self, start: int, end: int, depth: int) -> _Entity:
        body = self.header_end(start, end)
        return _Entity(start, body, end, depth, _first_of_each(self.raw_fields(start, body)))

    def _regions(self, boundary: bytes, body: int, end: int) -> Iterator[tuple[int, int]]:
        """Start and end of each part; the last one may lack its delimiter."""
        if not boundary or len(boundary) > self.limits.boundary_octets:
            return
        start = -1
        for before, after, closes in self._delimiters(b"\n--" + boundary, body, end):
            if start >= 0 and self.budget.parts <= 0:
                break
            if start >= 0:
                stop = before - (self.content[before - 1 : before] == b"\r")
                yield start, max(stop, start)
            start = after
            if closes:
                return
        if start >= 0:
            yield start, end

    def _delimiters(self, mark: bytes, body: int, end: int) -> Iterator[tuple[int, int, bool]]:
        """A delimiter := CRLF "--" boundary: its line break, the end of its line, whether it closes the multipart.

        Of the blanks that may pad its line, no more than one look takes in are taken for padding.
        """
        at = body - 1 if self.content[max(body - 1, 0) : body] == b"\n" else body
        while (found := self.content.find(mark, at, end)) >= 0:
            at = found + len(mark)
            if rest := _DELIMITER_END.match(self.content, at, min(at + _SEARCH_AT_ONCE, end)):
                yield found, rest.end(), rest[1] is not None
                at = rest.end() - 1
                continue
            self.budget.false_delimiters -= 1
            if self.budget.false_delimiters <= 0:
                return

    def _lines(self, entity: _Entity) -> int:
        start, end = entity.body, entity.end
        if isinstance(self.content, bytes):
            return self.content.count(b"\n", start, end)
        pieces = range(start, end, _COUNT_AT_ONCE)
        return sum(self.content[at : min(at + _COUNT_AT_ONCE, end)].count(b"\n") for at in pieces)
