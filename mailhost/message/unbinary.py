"""Binary and 8-bit content in forms that everybody takes: base64, quoted-printable, and lines that end with CRLF.

RFC 3030 section 3, RFC 2045 section 6, RFC 6152 section 3.
"""

import re
from binascii import b2a_base64, b2a_qp
from codecs import getincrementaldecoder
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from mailhost.message.budget import Limits, budget
from mailhost.message.headers import fields, replace_field
from mailhost.message.media import PLAIN_TEXT, Fields, encoding_of, media_of
from mailhost.message.newlines import has_bare_newline
from mailhost.message.structure import Content

PIECE_OCTETS = 64 << 10
"""How much is looked at in one call: others go on between two."""
LONGEST_LINE = 998
"""RFC 5322 section 2.1.1."""
BASE64_LINE = 57
"""Octets that make a line of 76 (RFC 2045 section 6.8)."""
BASE64_PIECE = BASE64_LINE * 1_024

BASE64 = b"base64"
QUOTED_PRINTABLE = b"quoted-printable"

_LONG_LINE = re.compile(rb"^[^\n]{%d}" % (LONGEST_LINE + 2), re.MULTILINE)
_COMPOSITE = frozenset({b"RFC822", b"PARTIAL", b"EXTERNAL-BODY"})
"""Of message/: no encoding but 7bit, 8bit and binary is for these (RFC 2046 section 5.2)."""


class How(Enum):
    """What becomes of some octets."""

    AS_IT_IS = 0
    TEXT = 1
    """NUL and bare newlines are replaced: nobody decodes these octets."""
    QUOTED = 2
    """Quoted-printable: NUL and CR are quoted."""
    BASE64 = 3
    ASCII = 4
    """As TEXT, and a question mark for each octet that is not ASCII: of a header that is too large to be looked at."""
    TO_QUOTED = 5
    """Text that is encoded in quoted-printable (RFC 2045 section 6.7)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What is in some octets."""

    is_ascii: bool
    is_clean: bool
    """Neither NUL nor bare newlines."""
    has_long_lines: bool


@dataclass(frozen=True, slots=True)
class Treatment:
    """What becomes of a leaf: of its body, of its Content-Transfer-Encoding (None: it stays), and of its type."""

    how: How
    encoding: bytes | None
    is_opaque: bool = False
    """Its type is one that must not be base64: it is called application/octet-stream."""
    is_unnamed: bool = False
    """It has no type, though it is not the ASCII that this means: whoever labels it names a charset."""


def look(content: Content, start: int, end: int) -> Look:
    is_ascii = is_clean = True
    has_long_lines = False
    at = start
    while at < end:
        piece = piece_of(content, at, end, PIECE_OCTETS)
        is_ascii = is_ascii and piece.isascii()
        is_clean = is_clean and b"\0" not in piece and not has_bare_newline(piece)
        has_long_lines = has_long_lines or _LONG_LINE.search(piece) is not None
        after = at + len(piece)
        at = after if after == end or has_long_lines else max(_line_start(piece, at), at + 1)
    return Look(is_ascii, is_clean, has_long_lines)


def piece_of(content: Content, at: int, end: int, most: int) -> bytes:
    """No CRLF lies across its end."""
    stop = min(at + most, end)
    if at < stop < end and content[stop - 1 : stop + 1] == b"\r\n":
        stop += 1
    return content[at:stop]


def _line_start(piece: bytes, at: int) -> int:
    """Where its last line begins, which may go on in the next piece."""
    return at + piece.rfind(b"\n") + 1 if b"\n" in piece else at + len(piece)


def treatment(block: bytes, found: Look) -> Treatment:
    """What a leaf with this header needs: binary ones base64, but text that is mail already only another label."""
    described = _described(block)
    encoding = encoding_of(described)
    if encoding not in (b"7BIT", b"8BIT", b"BINARY"):
        how = How.QUOTED if encoding == b"QUOTED-PRINTABLE" else How.TEXT
        return Treatment(How.AS_IT_IS if found.is_clean else how, None)
    media = media_of(described, PLAIN_TEXT, budget(Limits()))
    is_binary = encoding == b"BINARY"
    if found.is_clean and not (is_binary and (media.main != b"TEXT" or found.has_long_lines)):
        return Treatment(How.AS_IT_IS, label(found.is_ascii) if is_binary else None)
    is_composite = media.main == b"MULTIPART" or (media.main == b"MESSAGE" and media.sub in _COMPOSITE)
    return Treatment(How.BASE64, BASE64, is_composite)


def in_seven_bits(block: bytes, found: Look) -> Treatment | None:
    """What a leaf with octets beyond ASCII needs where they cannot pass: text quoted-printable, all else base64 (RFC 6152 section 3).

    A leaf that calls itself encoded already has them in breach of RFC 2045 section 6.7 and 6.8: they are replaced.
    """
    if found.is_ascii:
        return None
    described = _described(block)
    if encoding_of(described) not in (b"7BIT", b"8BIT", b"BINARY"):
        return Treatment(How.ASCII, None)
    media = media_of(described, PLAIN_TEXT, budget(Limits()))
    if media.main == b"TEXT" and found.is_clean:
        return Treatment(How.TO_QUOTED, QUOTED_PRINTABLE, is_unnamed=b"content-type" not in described)
    is_composite = media.main == b"MULTIPART" or (media.main == b"MESSAGE" and media.sub in _COMPOSITE)
    return Treatment(How.BASE64, BASE64, is_composite)


def is_labelled(block: bytes, *encodings: bytes) -> bool:
    """Whether a header says so."""
    return encoding_of(_described(block)) in encodings


def label(is_ascii: bool) -> bytes:
    """Content-Transfer-Encoding of what needs no encoding."""
    return b"7bit" if is_ascii else b"8bit"


def relabelled(block: bytes, encoding: bytes, *, is_opaque: bool, is_message: bool) -> bytes:
    """The header block with another Content-Transfer-Encoding; one is made where there is none."""
    block = replace_field(block, b"content-transfer-encoding", b"Content-Transfer-Encoding: " + encoding + b"\r\n")
    if is_opaque:
        block = replace_field(block, b"content-type", b"Content-Type: application/octet-stream\r\n")
    if (
        encoding in (BASE64, QUOTED_PRINTABLE)
        and is_message
        and not any(name.lower() == b"mime-version" for name, _ in fields(block))
    ):
        block = b"MIME-Version: 1.0\r\n" + block
    return block


def with_charset(block: bytes, charset: bytes) -> bytes:
    """A type for text that has none."""
    return replace_field(block, b"content-type", b"Content-Type: text/plain; charset=" + charset + b"\r\n")


def charset_of(octets: bytes) -> bytes:
    """What 8-bit text that says nothing of itself is called (RFC 1428 section 3); a character may be cut off at the end."""
    try:
        getincrementaldecoder("utf-8")().decode(octets)
    except UnicodeDecodeError:
        return b"unknown-8bit"
    return b"utf-8"


def _described(block: bytes) -> Fields:
    return {name.lower(): raw.partition(b":")[2] for name, raw in reversed(fields(block))}


def written(content: Content, start: int, end: int, how: How) -> Iterator[bytes]:
    """The octets as they are served, in pieces."""
    if how is How.BASE64:
        yield from _base64(content, start, end)
        return
    if how is How.TO_QUOTED:
        yield from _to_quoted(content, start, end)
        return
    change = CHANGES[how]
    at = start
    while at < end:
        piece = piece_of(content, at, end, PIECE_OCTETS)
        at += len(piece)
        yield piece if change is None else change(piece)


def _base64(content: Content, start: int, end: int) -> Iterator[bytes]:
    """Lines of 76; the last one ends where the delimiter's line end follows, or else with a line end of its own."""
    for at in range(start, end, BASE64_PIECE):
        octets = content[at : min(at + BASE64_PIECE, end)]
        lines = [
            b2a_base64(octets[its : its + BASE64_LINE], newline=False) for its in range(0, len(octets), BASE64_LINE)
        ]
        is_last = at + BASE64_PIECE >= end
        yield b"\r\n".join(lines) + (b"" if is_last and end < len(content) else b"\r\n")


def _to_quoted(content: Content, start: int, end: int) -> Iterator[bytes]:
    """Pieces of whole lines; a line that is longer than a piece is broken softly."""
    at = start
    while at < end:
        piece = piece_of(content, at, end, PIECE_OCTETS)
        if at + len(piece) < end and b"\n" in piece:
            piece = piece[: piece.rfind(b"\n") + 1]
        at += len(piece)
        quoted = b2a_qp(piece, istext=True).replace(b"\r\n", b"\n").replace(b"\r", b"=0D").replace(b"\n", b"\r\n")
        yield quoted if at == end or quoted.endswith(b"\n") else quoted + b"=\r\n"


def as_text(octets: bytes) -> bytes:
    """A bare LF ends a line, as whoever reads it takes it; a bare CR does not."""
    if not has_bare_newline(octets) and b"\0" not in octets:
        return octets
    octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b" ").replace(b"\0", b"?")
    return octets.replace(b"\n", b"\r\n")


def _quoted(octets: bytes) -> bytes:
    octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"=0D").replace(b"\0", b"=00")
    return octets.replace(b"\n", b"\r\n")


def _ascii(octets: bytes) -> bytes:
    return as_text(octets).translate(TO_ASCII)


TO_ASCII = bytes(range(0x80)) + b"?" * 0x80
CHANGES: Mapping[How, Callable[[bytes], bytes] | None] = {
    How.AS_IT_IS: None,
    How.TEXT: as_text,
    How.QUOTED: _quoted,
    How.ASCII: _ascii,
}
