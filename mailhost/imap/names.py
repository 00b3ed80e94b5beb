"""Mailbox names on the wire: modified UTF-7 (RFC 3501 section 5.1.3), or UTF-8 once the client has asked for it (RFC 6855 section 3)."""

from mailhost.imap import utf7
from mailhost.message.quoting import quoted, string

_ATOM = frozenset(b"!#$&'+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz|~")


def read(octets: bytes, *, utf8: bool) -> str:
    """Raises ValueError for what is no name in the encoding of the session."""
    if not utf8:
        return utf7.decode(octets)
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise ValueError("a mailbox name is UTF-8") from None


def written(name: str, *, utf8: bool) -> bytes:
    """A mailbox name as it travels: quoted where an atom would not do."""
    if utf8 and not name.isascii():
        return quoted(name.encode())
    return atom_or_string(name.encode() if utf8 else utf7.encode(name))


def atom_or_string(text: bytes) -> bytes:
    """astring, as an atom where it is one; NIL could be read as none."""
    if text and text.upper() != b"NIL" and _ATOM.issuperset(text):
        return text
    return string(text)
