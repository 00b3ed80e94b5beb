"""A message's other form, for whoever cannot take it as it came: headers in ASCII, binary parts in base64, 8-bit text quoted.

`surrogate` walks through the parts that the scanner found, and gives the octets piece by piece. The whole work is linear.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from mailhost.message import unbinary
from mailhost.message.budget import Limits
from mailhost.message.downgrade import downgraded
from mailhost.message.form import Form
from mailhost.message.newlines import has_bare_newline
from mailhost.message.parts import Kind, Row, rows
from mailhost.message.structure import Content
from mailhost.message.unbinary import How

_TO_ASCII = (How.BASE64, How.ASCII, How.TO_QUOTED)
_GUESSED = 64 << 10
"""Octets of a text by which its charset is guessed."""


@dataclass(slots=True)
class _Segment:
    """Some octets side by side that are treated alike: a header, the body of a leaf, or what is around them."""

    start: int
    end: int
    how: How
    is_header: bool
    is_ascii: bool = True
    """Once it is written."""
    encoding: bytes | None = None
    is_opaque: bool = False
    charset: bytes = b""
    """Of text that has no type."""
    is_message: bool = False


@dataclass(frozen=True, slots=True)
class Surrogate:
    """How a message is to be rewritten, and why."""

    requires: Form
    segments: list[_Segment]


def surrogate(content: Content, parts: bytes, look_for: Form, limits: Limits = Limits()) -> Surrogate | None:
    """None when the message is plain already, as far as we look for."""
    planner = _Planner(content, look_for, limits)
    planner.plan(rows(parts))
    return Surrogate(planner.requires, planner.segments) if planner.requires else None


def pieces(content: Content, plan: Surrogate) -> Iterator[bytes]:
    """The octets of the surrogate."""
    for each in plan.segments:
        if each.is_header:
            yield _header(content[each.start : each.end], each, plan.requires)
        else:
            yield from unbinary.written(content, each.start, each.end, each.how)


def _header(block: bytes, segment: _Segment, requires: Form) -> bytes:
    if requires & Form.BINARY:
        block = unbinary.as_text(block)
    if requires & Form.UTF8:
        block = downgraded(block)
    if segment.encoding is None:
        return block
    if segment.charset:
        block = unbinary.with_charset(block, segment.charset)
    return unbinary.relabelled(block, segment.encoding, is_opaque=segment.is_opaque, is_message=segment.is_message)


class _Planner:
    def __init__(self, content: Content, look_for: Form, limits: Limits) -> None:
        self._content = content
        self._binary, self._eight = bool(look_for & Form.BINARY), bool(look_for & Form.EIGHTBIT)
        self._utf8 = bool(look_for & (Form.UTF8 | Form.EIGHTBIT))
        self._most, self._left = limits.header_octets, limits.all_header_octets
        self.segments: list[_Segment] = []
        self.requires = Form.PLAIN

    def plan(self, table: list[Row]) -> None:
        heads: list[int] = []
        at, is_message = 0, True
        for row in table:
            self._around(at, row.header_start)
            heads.append(len(self.segments))
            block = self._head(row, is_message)
            at, is_message = row.body_start, row.kind is Kind.MESSAGE
            if row.kind is Kind.LEAF:
                self._leaf(row, self.segments[heads[-1]], block)
                at = row.end
        self._around(at, len(self._content))
        if self._binary or self._eight:
            self._label_containers(table, heads)

    def _around(self, start: int, end: int) -> None:
        """Delimiters, and what stands before the first and after the last."""
        if start < end:
            found = self._look(start, end)
            if not found.is_clean:
                self.requires |= Form.BINARY
            how = How.AS_IT_IS if found.is_clean else How.TEXT
            if self._eight and not found.is_ascii:
                self.requires |= Form.EIGHTBIT
                how = How.ASCII
            is_ascii = found.is_ascii or how is How.ASCII
            self.segments.append(_Segment(start, end, how, is_header=False, is_ascii=is_ascii))

    def _head(self, row: Row, is_message: bool) -> bytes:
        """A header, also where it is empty; answers with as much of it as we look at."""
        start, end = row.header_start, row.body_start
        block = unbinary.piece_of(self._content, start, end, max(min(self._most, self._left), 0))
        self._left -= len(block)
        is_ascii = block.isascii()
        if self._utf8 and not is_ascii:
            self.requires |= Form.UTF8
        if self._binary and (b"\0" in block or has_bare_newline(block)):
            self.requires |= Form.BINARY
        stop = start + len(block)
        head = _Segment(start, stop, How.AS_IT_IS, is_header=True, is_ascii=is_ascii or self._utf8)
        head.is_message = is_message
        self.segments.append(head)
        if stop < end:
            self._rest_of_head(stop, end)
        return block

    def _rest_of_head(self, start: int, end: int) -> None:
        found = unbinary.look(self._content, start, end)
        how = How.AS_IT_IS
        if self._binary and not found.is_clean:
            self.requires |= Form.BINARY
            how = How.TEXT
        if self._utf8 and not found.is_ascii:
            self.requires |= Form.UTF8
            how = How.ASCII
        self.segments.append(_Segment(start, end, how, is_header=False, is_ascii=found.is_ascii or self._utf8))

    def _leaf(self, row: Row, head: _Segment, block: bytes) -> None:
        found = self._look(row.body_start, row.end)
        body = _Segment(row.body_start, row.end, How.AS_IT_IS, is_header=False, is_ascii=found.is_ascii)
        self.segments.append(body)
        if self._binary:
            done = unbinary.treatment(block, found)
            if done.encoding is not None or done.how is not How.AS_IT_IS:
                self.requires |= Form.BINARY
            self._treat(head, body, done, found)
        if self._eight and not body.is_ascii and (done_too := unbinary.in_seven_bits(block, found)) is not None:
            self.requires |= Form.EIGHTBIT
            self._treat(head, body, done_too, found)

    def _treat(self, head: _Segment, body: _Segment, done: unbinary.Treatment, found: unbinary.Look) -> None:
        body.how, body.is_ascii = done.how, found.is_ascii or done.how in _TO_ASCII
        head.encoding, head.is_opaque = done.encoding, done.is_opaque
        if done.is_unnamed:
            head.charset = unbinary.charset_of(self._content[body.start : min(body.start + _GUESSED, body.end)])

    def _look(self, start: int, end: int) -> unbinary.Look:
        """Bodies are looked at only where it matters."""
        if self._binary or self._eight:
            return unbinary.look(self._content, start, end)
        return unbinary.Look(True, True, False)

    def _label_containers(self, table: list[Row], heads: list[int]) -> None:
        """A multipart or message that calls itself binary, or 8bit, holds nothing of it any more."""
        wrong = ([b"BINARY"] if self._binary else []) + ([b"8BIT", b"BINARY"] if self._eight else [])
        eight = [0, *accumulate(not each.is_ascii for each in self.segments)]
        heads = [*heads, len(self.segments)]
        for place, row in enumerate(table):
            head = self.segments[heads[place]]
            if row.kind is Kind.LEAF or not unbinary.is_labelled(self._content[head.start : head.end], *wrong):
                continue
            inside = eight[heads[place + row.subtree]] - eight[heads[place] + 1]
            head.encoding = unbinary.label(not inside)
            self.requires |= Form.BINARY if self._binary else Form.EIGHTBIT
