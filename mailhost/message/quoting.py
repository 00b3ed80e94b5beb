"""IMAP's way to write a string (RFC 3501 section 4.3): quoted, or as a literal."""

from collections.abc import Iterable

LONGEST_QUOTED = 1_000
"""Longer strings go as literals: there are clients that read lines into a buffer of fixed size."""

NIL = b"NIL"
NEVER_IN_A_STRING = b"\r\n\0"
_PLAIN = bytes(octet for octet in range(0x20, 0x7F) if octet not in b'"\\')


def string(text: bytes) -> bytes:
    """Quoted where it can be; a literal when it is long or holds octets that quotes must not."""
    if len(text) <= LONGEST_QUOTED and not text.translate(None, _PLAIN):
        return b'"' + text + b'"'
    return _awkward_string(text.translate(None, NEVER_IN_A_STRING))


def _awkward_string(text: bytes) -> bytes:
    if len(text) > LONGEST_QUOTED or not text.isascii():
        return b"{%d}\r\n%b" % (len(text), text)
    return quoted(text)


def quoted(text: bytes) -> bytes:
    """Between quotes, whatever it is; no line end may be in it."""
    return b'"%b"' % text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def nstring(text: bytes | None) -> bytes:
    return NIL if text is None else string(text)


def listed(items: Iterable[bytes]) -> bytes:
    """Finished items in parentheses; NIL when there are none."""
    joined = b" ".join(items)
    return b"(%b)" % joined if joined else NIL
