"""Header fields as octets, by name (RFC 5322 section 2.2); every line end is taken as it comes.

A field begins at a line that has a name and a colon, and goes on over lines that begin with a blank. Lines that are
neither (an mbox "From ", garbage) belong to no field: selections leave them out, removals keep them.
"""

import re
from collections.abc import Callable, Iterable

from mailhost.message.lexical import unfold

__all__ = ["field_value", "fields", "remove_fields", "replace_field", "select_fields", "unfold"]

_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:[^\n]*+(?:\n[ \t][^\n]*+)*\n?", re.MULTILINE)


def fields(block: bytes) -> list[tuple[bytes, bytes]]:
    """Name and raw octets (name, value and line ends) of each field, in order. What follows an empty line is not read."""
    return [(found[1], found[0]) for found in _FIELD.finditer(block, 0, _fields_end(block))]


def select_fields(block: bytes, names: Iterable[bytes], *, exclude: bool = False) -> bytes:
    """The fields of these names, or all others, with the empty line after them (RFC 3501 section 6.4.5)."""
    wanted = {name.lower() for name in names}
    line_end = _line_end(block)
    chosen = [_ended(raw, line_end) for name, raw in fields(block) if (name.lower() in wanted) != exclude]
    return b"".join(chosen) + line_end


def field_value(block: bytes, name: bytes) -> bytes | None:
    """The unfolded value of the first field of that name, without the blanks around it."""
    wanted = name.lower()
    for found, raw in fields(block):
        if found.lower() == wanted:
            return unfold(raw[raw.index(b":") + 1 :])
    return None


def remove_fields(block: bytes, predicate: Callable[[bytes, bytes], bool]) -> bytes:
    """The block without the fields for which `predicate(name in lower case, raw field)` holds; all else stays as it is."""
    kept, at = [], 0
    for found in _FIELD.finditer(block, 0, _fields_end(block)):
        if predicate(found[1].lower(), found[0]):
            kept.append(block[at : found.start()])
            at = found.end()
    kept.append(block[at:])
    return b"".join(kept)


def replace_field(block: bytes, name: bytes, made: bytes) -> bytes:
    """The block with a field in place of the first of that name (in lower case), or before all others; further ones go."""
    kept, at, is_there = [], 0, False
    for found in _FIELD.finditer(block, 0, _fields_end(block)):
        if found[1].lower() == name:
            kept.append(block[at : found.start()])
            if not is_there:
                kept.append(made if found[0].endswith(b"\n") else made.rstrip(b"\r\n"))
            at, is_there = found.end(), True
    kept.append(block[at:])
    return b"".join(kept) if is_there else made + (block or b"\r\n")


def _fields_end(block: bytes) -> int:
    """Where the first empty line begins, or the end; a CR that is all of the last line is one. A pattern takes five times as long."""
    if block.startswith((b"\n", b"\r\n")) or block == b"\r":
        return 0
    found = [at + 1 for at in (block.find(b"\n\n"), block.find(b"\n\r\n")) if at >= 0]
    return min(found, default=len(block) - block.endswith(b"\n\r"))


def _line_end(block: bytes) -> bytes:
    """The message's own: CRLF, unless its first line ends with a bare LF."""
    first = block.find(b"\n")
    return b"\n" if first >= 0 and block[max(first - 1, 0) : first] != b"\r" else b"\r\n"


def _ended(raw: bytes, line_end: bytes) -> bytes:
    return raw if raw.endswith(b"\n") else raw.rstrip(b"\r") + line_end
