"""Text in a header of ASCII: encoded words (RFC 2047), and lines that are folded at blanks only (RFC 5322 section 2.2.3)."""

import re
from binascii import b2a_base64
from collections.abc import Iterable
from typing import NamedTuple

LONGEST_WORD = 75
"""Of an encoded word (RFC 2047 section 2)."""
LONGEST_LINE = 76
"""Of a line with encoded words in it."""
SHORTEST_ROOM = 40
"""What an encoded word takes at least, however long the name of its field is."""

_OPENING, _CLOSING = 10, 2
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")
"""What stands for itself in a phrase too (RFC 2047 section 5)."""
_Q = [bytes([octet]) if octet in _SAFE else b"_" if octet == 0x20 else b"=%02X" % octet for octet in range(256)]
_Q_LENGTH = [len(each) for each in _Q]
_ENCODED = re.compile(rb"=\?[^?\s]++\?[BbQq]\?[^?\s]*+\?=")
_WORD = re.compile(rb"([ \t]*+)([^ \t]++)")


def room_for(name: bytes) -> int:
    """How long an encoded word may be in a field of this name, with a parenthesis or a comma around it."""
    return max(min(LONGEST_WORD, LONGEST_LINE - len(name) - 4), SHORTEST_ROOM)


def text_of(octets: bytes) -> str:
    """Text as senders write it raw: UTF-8, else GB 18030, else Latin-1."""
    for charset in ("utf-8", "gb18030"):
        try:
            return octets.decode(charset)
        except UnicodeDecodeError:
            continue
    return octets.decode("latin-1")


def encoded(text: str, room: int) -> list[bytes]:
    """The text as encoded words, in base64 or Q, whichever is shorter; no character lies across two."""
    octets = text.encode("utf-8", "replace")
    lengths = sum(map(_Q_LENGTH.__getitem__, octets))
    if lengths * 3 <= len(octets) * 4:
        return [
            b"=?UTF-8?Q?%b?=" % b"".join([_Q[octet] for octet in piece]) for piece in _pieces(text, room, in_q=True)
        ]
    return [b"=?UTF-8?B?%b?=" % b2a_base64(piece, newline=False) for piece in _pieces(text, room, in_q=False)]


def _pieces(text: str, room: int, *, in_q: bool) -> list[bytes]:
    """Whole characters, as many as fit into one word."""
    room -= _OPENING + _CLOSING
    most = room if in_q else room // 4 * 3
    pieces, piece, length = [], bytearray(), 0
    for character in text:
        octets = character.encode("utf-8", "replace")
        its = sum([_Q_LENGTH[octet] for octet in octets]) if in_q else len(octets)
        if length + its > most and piece:
            pieces.append(bytes(piece))
            piece, length = bytearray(), 0
        piece += octets
        length += its
    return [*pieces, bytes(piece)] if piece else pieces


class Word(NamedTuple):
    """A word as it was written, with the blanks before it, and what it means."""

    blank: bytes
    written: bytes
    meaning: bytes


def unstructured(value: bytes, room: int) -> list[bytes]:
    """Text (RFC 5322 section 3.2.5), for `folded`."""
    found = _WORD.finditer(value.strip(b" \t"))
    return words([Word(each[1], each[2], each[2]) for each in found], room)


def words(given: Iterable[Word], room: int) -> list[bytes]:
    """Words that are ASCII stay, each run of others becomes encoded words; each token with the blanks before it, for `folded`.

    A blank between two encoded words means nothing (RFC 2047 section 6.2): where it means something it is encoded too.
    """
    tokens: list[bytes] = []
    run = _Run(room)
    for word in given:
        if not word.written.isascii():
            run.take(word, after_encoded=bool(tokens) and _is_encoded(tokens[-1]))
            continue
        blank = word.blank
        if run.words and _is_encoded(word.written):
            run.words.append(blank)
            blank = b" "
        elif run.words:
            blank = blank or b" "
        tokens += run.tokens()
        tokens.append(blank + word.written if tokens else b" " + word.written)
    return tokens + run.tokens()


class _Run:
    """Words side by side that become encoded words together."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._blank = b" "
        self.words: list[bytes] = []

    def take(self, word: Word, *, after_encoded: bool) -> None:
        if self.words or after_encoded:
            self.words += [word.blank, word.meaning]
        else:
            self._blank = word.blank or b" "
            self.words.append(word.meaning)

    def tokens(self) -> list[bytes]:
        if not self.words:
            return []
        first, *others = encoded("".join(map(text_of, self.words)), self._room)
        blank, self._blank = self._blank, b" "
        self.words = []
        return [blank + first, *(b" " + each for each in others)]


def _is_encoded(token: bytes) -> bool:
    return token.endswith(b"?=") and _ENCODED.fullmatch(token.lstrip(b" \t")) is not None


def folded(name: bytes, tokens: Iterable[bytes]) -> bytes:
    """A field of tokens, each with the blanks before it; a line is broken before blanks, where it would become too long."""
    lines, line = [], bytearray(name + b":")
    for token in tokens:
        if len(line) + len(token) > LONGEST_LINE and token[:1] in b" \t" and len(line) > len(name) + 1:
            lines.append(bytes(line))
            line = bytearray()
        line += token
    return b"\r\n".join([*lines, bytes(line)]) + b"\r\n"
