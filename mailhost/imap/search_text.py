"""Text as people read it, to be searched: encoded words, transfer encodings and charsets undone, case and width folded. Pure."""

import binascii
import html
import re
import unicodedata
from collections.abc import Iterator

from mailhost.message import word_reader
from mailhost.message.charsets import decoded
from mailhost.message.headers import field_value, fields
from mailhost.message.lexical import unfold

LONGEST_FIELD = 64 << 10
PIECE = 200
"""Characters that are folded at one time."""
MOST_GROWTH = 4
_ASCII = re.compile(r"[\x00-\x7f]")
_MEDIA = re.compile(rb"\s*([A-Za-z0-9!#$&^_.+-]+)/([A-Za-z0-9!#$&^_.+-]+)")
_CHARSET = re.compile(rb"""charset\*?\s*=\s*(?:"([^"]{1,60})"|([^\s;"]{1,60}))""", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


def folded(text: str) -> str:
    """Two texts that look alike are alike (NFKC), and case does not matter."""
    return text.casefold() if text.isascii() else "".join(map(_folded, _pieces(text)))


def _folded(piece: str) -> str:
    """A piece that becomes much longer is left as it is: 200,000 ligatures of eighteen letters are no text."""
    normal = unicodedata.normalize("NFKC", piece)
    return (normal if len(normal) < MOST_GROWTH * len(piece) else piece).casefold()


def _pieces(text: str) -> Iterator[str]:
    """Cut before an ASCII letter, to which no accent belongs: the time for one letter goes by the square of its accents."""
    start = 0
    while start < len(text):
        cut = _ASCII.search(text, start + PIECE, start + 2 * PIECE)
        end = cut.start() if cut else start + 2 * PIECE
        yield text[start:end]
        start = end


def field_texts(block: bytes, name: bytes) -> list[str]:
    """The decoded values of each field of this name."""
    wanted = name.lower()
    return [_field_text(raw) for found, raw in fields(block) if found.lower() == wanted]


def header_text(block: bytes) -> str:
    return "\n".join(f"{name.decode('latin-1')}: {_field_text(raw)}" for name, raw in fields(block))


def _field_text(raw: bytes) -> str:
    value = unfold(raw[raw.index(b":") + 1 :][:LONGEST_FIELD])
    text = decoded(value, "utf-8")
    return word_reader.decode(text) if "=?" in text else text


def is_text(header: bytes) -> bool:
    """Whether a part is one that people read; without a Content-Type it is text/plain."""
    found = _MEDIA.match(field_value(header, b"content-type") or b"text/plain")
    return found is not None and found[1].lower() == b"text"


def part_text(header: bytes, body: bytes) -> str:
    """The text of a leaf."""
    media = field_value(header, b"content-type") or b"text/plain"
    charset = _CHARSET.search(media)
    name = (charset[1] or charset[2]).decode("latin-1") if charset else "utf-8"
    text = decoded(_octets(header, body), name)
    if media.lower().lstrip().startswith(b"text/html"):
        return html.unescape(_TAG.sub(" ", text))
    return text


def _octets(header: bytes, body: bytes) -> bytes:
    encoding = (field_value(header, b"content-transfer-encoding") or b"").strip().lower()
    try:
        if encoding == b"base64":
            return binascii.a2b_base64(body)
        if encoding == b"quoted-printable":
            return binascii.a2b_qp(body)
    except binascii.Error:
        return body
    return body
