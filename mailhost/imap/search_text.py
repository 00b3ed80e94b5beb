"""Text as people read it, to be searched: encodings and charsets undone, case and width folded. Pure.

All but the smallest texts are read in a thread, in pieces: a call into C on megabytes would hold every other thread as well.
"""

import html
import re
import unicodedata
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Collection, Iterator

from mailhost.message.charsets import decoded_pieces
from mailhost.message.header_text import parameter_texts, unstructured_text
from mailhost.message.headers import field_value, fields
from mailhost.message.lexical import unfold

LONGEST_FIELD = 64 << 10
CHUNK = 32 << 10
"""Octets or characters that are worked on at once."""
PIECE = 200
"""Characters that are normalised at one time."""
MOST_GROWTH = 4
LONGEST_TAG = 8 << 10
LONGEST_CHARACTER = 40
STRETCH = 64 << 10
"""Characters that are looked through at one time."""
WHOLE_HEADER = b""
"""Stands for all fields, where a field's name is asked for."""
BETWEEN = "\0"
"""Between texts that do not belong together; no text that is looked for has it."""
WITH_PARAMETERS = frozenset({b"content-type", b"content-disposition"})

_MEDIA = re.compile(rb"\s*([A-Za-z0-9!#$&^_.+-]+)/([A-Za-z0-9!#$&^_.+-]+)")
_CHARSET = re.compile(rb"""charset\*?\s*=\s*(?:"([^"]{1,60})"|([^\s;"]{1,60}))""", re.IGNORECASE)
_ASCII = re.compile(r"[\x00-\x7f]")
_CJK = "\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
_WRAPPED = re.compile(rf"(?<=[{_CJK}])\r?\n(?=[{_CJK}])")
"""A line end in the middle of Chinese: there are no blanks between words."""
_MARK = re.compile(r"<!--|<(/?[A-Za-z][A-Za-z0-9]*+)?[^<>]*+>")
_CHARACTER = re.compile(r"&#?[0-9A-Za-z]++;?")
_WITHIN_WORDS = frozenset(
    ["a", "abbr", "b", "bdi", "bdo", "big", "code", "del", "em", "font", "i", "ins", "mark", "s", "small", "span"]
) | {"strike", "strong", "sub", "sup", "tt", "u", "wbr"}
"""Elements that may begin or end within a word."""
_UNSEEN = {name: re.compile(rf"</{name}[^<>]*+>", re.IGNORECASE) for name in ("script", "style")}
_NOT_BASE64 = bytes(set(range(256)) - set(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))


def folded(text: str) -> str:
    """Two texts that look alike are alike (NFKC); neither case nor the number of blanks matters."""
    chunks: list[str] = []
    for chunk in _chunks(text):
        normal = _normal(chunk)
        done = _with_single_blanks(normal if normal.isascii() else _WRAPPED.sub("", normal))
        chunks.append(done.lstrip() if chunks and chunks[-1].endswith(" ") else done)
    return "".join(chunks)


def _with_single_blanks(text: str) -> str:
    r"""A blank for each run of them, those at the ends too: what `\s+` finds, in a fifth of the time."""
    words = text.split()
    if not words:
        return " " if text else ""
    return " " * text[0].isspace() + " ".join(words) + " " * text[-1].isspace()


def _chunks(text: str) -> Iterator[str]:
    """They end with a line or a word, where there is one."""
    start = 0
    while start < len(text):
        end = start + CHUNK
        for mark in ("\n", " "):
            found = text.find(mark, end, end + CHUNK)
            if found >= 0:
                end = found + 1
                break
        yield text[start:end]
        start = end


def _normal(text: str) -> str:
    return text.casefold() if text.isascii() else "".join(map(_normal_piece, _pieces(text)))


def _normal_piece(piece: str) -> str:
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


def holds(text: str, looked_for: str) -> bool:
    """Whether one folded text is in another. One look through 16 MB would keep the interpreter from the loop, wherever it runs."""
    more = STRETCH + len(looked_for) - 1
    return any(text.find(looked_for, start, start + more) >= 0 for start in range(0, len(text) or 1, STRETCH))


# The header.


def folded_fields(block: bytes, names: Collection[bytes]) -> dict[bytes, str]:
    """The text of the fields of these names, in lower case; those that the block has."""
    found: dict[bytes, list[str]] = {name: [] for name in names if name == WHOLE_HEADER}
    for spelt, raw in fields(block):
        name = spelt.lower()
        if name not in names and WHOLE_HEADER not in names:
            continue
        text = folded(_field_text(name, raw))
        if name in names:
            found.setdefault(name, []).append(text)
        if WHOLE_HEADER in names:
            found[WHOLE_HEADER].append(f"{name.decode()}: {text.lstrip()}")
    return {name: BETWEEN.join(texts) for name, texts in found.items()}


def _field_text(name: bytes, raw: bytes) -> str:
    """RFC 2231 first, then RFC 2047, then what is raw."""
    value = unfold(raw[raw.index(b":") + 1 :][:LONGEST_FIELD])
    text = unstructured_text(value)
    return " ".join([text, *parameter_texts(value)]) if name in WITH_PARAMETERS else text


# Parts.


def is_text(header: bytes) -> bool:
    """Whether a part is one that people read; without a Content-Type it is text/plain."""
    found = _MEDIA.match(field_value(header, b"content-type") or b"text/plain")
    return found is not None and found[1].lower() == b"text"


def part_text(header: bytes, body: bytes) -> str:
    """The folded text of a leaf."""
    media = field_value(header, b"content-type") or b"text/plain"
    charset = _CHARSET.search(media)
    name = (charset[1] or charset[2]).decode("latin-1") if charset else ""
    encoding = (field_value(header, b"content-transfer-encoding") or b"").strip().lower()
    text = "".join(decoded_pieces(list(_octets(encoding, body)), name))
    return folded(unescaped(plain(text)) if _is_html(media) else text)


def _is_html(media: bytes) -> bool:
    return media.lower().lstrip().startswith(b"text/html")


def _octets(encoding: bytes, body: bytes) -> Iterator[bytes]:
    if encoding == b"base64":
        return _from_base64(body)
    if encoding == b"quoted-printable":
        return (a2b_qp(piece) for piece in _lines(body))
    return (body[start : start + CHUNK] for start in range(0, len(body), CHUNK))


def _from_base64(body: bytes) -> Iterator[bytes]:
    """Four characters give three octets, wherever lines and pieces end."""
    left = b""
    for start in range(0, len(body), CHUNK):
        left += body[start : start + CHUNK].translate(None, _NOT_BASE64)
        whole = len(left) - len(left) % 4
        yield a2b_base64(left[:whole])
        left = left[whole:]
    try:
        yield a2b_base64(left + b"==")
    except Error:
        return


def _lines(body: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(body):
        end = body.find(b"\n", start + CHUNK, start + 2 * CHUNK) + 1 or start + 2 * CHUNK
        yield body[start:end]
        start = end


def plain(text: str) -> str:
    """HTML without its marks, what is not seen left out."""
    pieces: list[str] = []
    at = 0
    unended = set[str]()
    for mark in _marks(text):
        if mark.start() < at:
            continue
        pieces.append(text[at : mark.start()])
        name = (mark[1] or mark[0]).lower()
        at = mark.end()
        if name in _UNSEEN or name == "<!--":
            at = _end_of_unseen(text, name, mark.end(), unended)
        elif name.lstrip("/") not in _WITHIN_WORDS:
            pieces.append(" ")
    pieces.append(text[at:])
    return "".join(pieces)


def _marks(text: str) -> "Iterator[re.Match[str]]":
    """What is longer than the longest tag is none."""
    for start in _places(text, "<"):
        mark = _MARK.match(text, start, start + LONGEST_TAG)
        if mark is not None:
            yield mark


def _places(text: str, letter: str) -> Iterator[int]:
    """One after the other, in stretches: there may be megabytes without any, or of nothing else."""
    for start in range(0, len(text), STRETCH):
        at = text.find(letter, start, start + STRETCH)
        while at >= 0:
            yield at
            at = text.find(letter, at + 1, start + STRETCH)


def unescaped(text: str) -> str:
    """Characters that HTML writes by their names or numbers."""
    pieces: list[str] = []
    at = 0
    for start in _places(text, "&"):
        found = _CHARACTER.match(text, start, start + LONGEST_CHARACTER)
        if found is not None:
            pieces += [text[at:start], html.unescape(found[0])]
            at = found.end()
    return "".join([*pieces, text[at:]])


def _end_of_unseen(text: str, name: str, start: int, unended: set[str]) -> int:
    """Where a comment, a script or a style ends. One that never does is looked for once."""
    if name in unended:
        return start
    if name == "<!--":
        end = text.find("-->", start) + 3
    else:
        found = _UNSEEN[name].search(text, start)
        end = found.end() if found else 2
    if end < start:
        unended.add(name)
        return start
    return end
