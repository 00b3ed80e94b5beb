"""Octets as text, whatever their sender calls the charset (RFC 2047 section 3, RFC 2046 section 4.1.2).

A name is looked up in one table: Python would try to import each that it has never heard of, and knows some that are no
charsets, or take quadratic time.
"""

import codecs
from collections.abc import Iterable, Iterator, Mapping, Sequence
from encodings.aliases import aliases

_NO_CHARSETS = frozenset({"mbcs", "rot_13", "tactis"})
_FURTHER = (
    "koi8_u",
    "koi8_t",
    "utf_8_sig",
    "cp874",
    "cp1006",
    "latin_1",
    "ascii",
    "utf_8",
    "gb18030",
    "gbk",
    "big5hkscs",
)
_NAMES: Mapping[str, str] = {
    name: codec
    for alias, codec in aliases.items()
    if not codec.endswith("_codec") and codec not in _NO_CHARSETS
    for name in (alias, codec)
} | {name: name for name in _FURTHER}
_LARGER = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "latin_1": "cp1252",
}
"""What senders call one charset and mean by it its larger form."""
_ASCII = "ascii"
GUESSES = ("utf_8", "gb18030", "latin_1")
"""What text without a name may be, the strictest first: Latin-1 is never wrong."""


def codec_of(charset: str) -> str | None:
    """Python's name for a charset; None for one that is not known, or says nothing of octets above 127."""
    name = charset.strip("'\" ").lower().replace("-", "_").replace(".", "_").replace(" ", "_").removeprefix("x_")
    codec = _NAMES.get(name) or _NAMES.get(name.replace("_", ""))
    return None if codec is None or codec == _ASCII else _LARGER.get(codec, codec)


def decoded(octets: bytes, charset: str = "") -> str:
    codec = codec_of(charset)
    return guessed(octets) if codec is None else octets.decode(codec, "replace")


def guessed(octets: bytes) -> str:
    if octets.isascii():
        return octets.decode("ascii")
    return "".join(_guessed([octets], final=True))


def decoded_pieces(pieces: Sequence[bytes], charset: str) -> Iterator[str]:
    """Text that comes in pieces, cut anywhere; its end may be missing."""
    codec = codec_of(charset)
    if codec is None:
        yield from _guessed(pieces, final=False)
    else:
        yield from _decode(pieces, codec, "replace", final=True)


def _guessed(pieces: Sequence[bytes], *, final: bool) -> Iterable[str]:
    for codec in GUESSES[:-1]:
        try:
            return list(_decode(pieces, codec, "strict", final=final))
        except UnicodeDecodeError:
            continue
    return _decode(pieces, GUESSES[-1], "strict", final=final)


def _decode(pieces: Sequence[bytes], codec: str, errors: str, *, final: bool) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder(codec)(errors)
    for piece in pieces:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final)
