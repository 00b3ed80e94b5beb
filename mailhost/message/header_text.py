"""What header fields say to people: encoded words (RFC 2047) and parameters in pieces (RFC 2231) undone, raw octets read.

Every step takes time in proportion to the field. What senders do against the RFCs is understood where it can be: encoded
words within quotes, a character that lies across two of them, octets without a charset.
"""

import re
from urllib.parse import unquote_to_bytes

from mailhost.message import word_reader
from mailhost.message.budget import Limits, budget
from mailhost.message.charsets import decoded, guessed
from mailhost.message.lexical import without_comments
from mailhost.message.media import parameters_of

MOST_PARAMETERS = 1_000
_PIECE = re.compile(rb"([^*]++)(?:\*([0-9]{1,4}+))?(\*)?")


def unstructured_text(value: bytes) -> str:
    """The value of a field, unfolded."""
    text = guessed(value)
    return word_reader.decode(text) if "=?" in text else text


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
