"""What header fields say to people: encoded words (RFC 2047) and parameters in pieces (RFC 2231) undone, raw octets read.

Every step takes time in proportion to the field. What senders do against the RFCs is understood where it can be: encoded
words within quotes, a character that lies across two of them, blanks in a word.
"""

import re
from binascii import Error, a2b_base64, a2b_qp
from urllib.parse import unquote_to_bytes

from mailhost.message.budget import Limits, budget
from mailhost.message.charsets import decoded, guessed
from mailhost.message.lexical import without_comments
from mailhost.message.media import parameters_of

MOST_PARAMETERS = 1_000
_ENCODED_WORD = re.compile(rb"=\?([^?\s*]{1,60}+)(?:\*[^?\s]*+)?\?([BbQq])\?([^?]*+)\?=")
_PIECE = re.compile(rb"([^*]++)(?:\*([0-9]{1,4}+))?(\*)?")


def unstructured_text(value: bytes) -> str:
    """The value of a field, unfolded."""
    if b"=?" not in value:
        return guessed(value)
    texts: list[str] = []
    words = _Words(texts)
    at = 0
    for found in _ENCODED_WORD.finditer(value):
        between = value[at : found.start()]
        if between.strip() or not words.open:
            words.end()
            texts.append(guessed(between))
        words.take(found[1], found[2], found[3])
        at = found.end()
    words.end()
    texts.append(guessed(value[at:]))
    return "".join(texts)


class _Words:
    """Encoded words side by side; the blanks between them mean nothing (RFC 2047 section 6.2), and neither does where they are cut."""

    def __init__(self, texts: list[str]) -> None:
        self.open = False
        self._texts = texts
        self._charset = b""
        self._octets = bytearray()

    def take(self, charset: bytes, encoding: bytes, text: bytes) -> None:
        charset = charset.lower()
        if charset != self._charset:
            self.end()
        self.open, self._charset = True, charset
        self._octets += _word_octets(encoding, text)

    def end(self) -> None:
        if self._octets:
            self._texts.append(decoded(bytes(self._octets), self._charset.decode("latin-1")))
        self.open = False
        self._octets.clear()


def _word_octets(encoding: bytes, text: bytes) -> bytes:
    if encoding in b"Qq":
        return a2b_qp(text, header=True)
    try:
        return a2b_base64(text + b"===")
    except Error:
        return text


def parameter_texts(value: bytes) -> list[str]:
    """The values of the parameters that RFC 2231 has cut or encoded; others are read as part of the field."""
    if b"*" not in value:
        return []
    pieces: dict[bytes, list[tuple[int, bool, bytes]]] = {}
    for name, text in parameters_of(without_comments(value), budget(Limits(parameters=MOST_PARAMETERS))):
        found = _PIECE.fullmatch(name)
        if found is not None and (found[2] or found[3]):
            pieces.setdefault(found[1], []).append((int(found[2] or 0), bool(found[3]), text))
    return [_joined(each) for each in pieces.values()]


def _joined(pieces: list[tuple[int, bool, bytes]]) -> str:
    """The first piece tells the charset, if it is encoded (RFC 2231 section 4.1)."""
    pieces.sort(key=lambda piece: piece[0])
    charset = b""
    _, encoded, first = pieces[0]
    if encoded and first.count(b"'") >= 2:
        charset, _, first = first.split(b"'", 2)
        pieces[0] = (0, True, first)
    octets = b"".join([unquote_to_bytes(text) if encoded else text for _, encoded, text in pieces])
    return decoded(octets, charset.decode("latin-1"))
