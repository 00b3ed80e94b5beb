"""Text as people read it, to be searched: encoded words, transfer encodings and charsets undone, case and width folded. Pure."""

import binascii
import html
import re
import unicodedata
from email.errors import HeaderParseError
from email.header import decode_header

from mailhost.message.headers import field_value, fields
from mailhost.message.lexical import unfold

CHARSETS = {"gb2312": "gb18030", "gbk": "gb18030", "us-ascii": "utf-8", "ascii": "utf-8"}
"""What senders call one charset and mean by it its larger form."""
LONGEST_FIELD = 64 << 10
_MEDIA = re.compile(rb"\s*([A-Za-z0-9!#$&^_.+-]+)/([A-Za-z0-9!#$&^_.+-]+)")
_CHARSET = re.compile(rb"""charset\*?\s*=\s*(?:"([^"]{1,60})"|([^\s;"]{1,60}))""", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


def folded(text: str) -> str:
    """Two texts that look alike are alike."""
    return unicodedata.normalize("NFKC", text).casefold()


def decoded(octets: bytes, charset: str) -> str:
    name = charset.lower().strip("'")
    try:
        return octets.decode(CHARSETS.get(name, name), "replace")
    except (LookupError, ValueError):
        return octets.decode("latin-1")


def field_texts(block: bytes, name: bytes) -> list[str]:
    """The decoded values of each field of this name."""
    wanted = name.lower()
    return [_field_text(raw) for found, raw in fields(block) if found.lower() == wanted]


def header_text(block: bytes) -> str:
    return "\n".join(f"{name.decode('latin-1')}: {_field_text(raw)}" for name, raw in fields(block))


def _field_text(raw: bytes) -> str:
    value = unfold(raw[raw.index(b":") + 1 :][:LONGEST_FIELD])
    text = decoded(value, "utf-8")
    if "=?" not in text:
        return text
    try:
        words = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    return "".join(word if isinstance(word, str) else decoded(word, charset or "utf-8") for word, charset in words)


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
