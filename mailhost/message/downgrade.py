"""A header block in UTF-8 as clients without UTF8 can take it: pure ASCII (RFC 6857 section 3).

What has a form in ASCII gets it, field by field; the rest goes into `Downgraded-` fields, to be read by people. Fields that are
ASCII stay as they are.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mailhost.message.downgrade_addresses import addr_spec, address_tokens, comment_tokens
from mailhost.message.downgrade_parameters import file_name, parameter_tokens
from mailhost.message.encoded_words import encoded, folded, room_for, text_of, unstructured
from mailhost.message.lexical import comment_end

ADDRESSES = frozenset(
    b"from sender reply-to to cc bcc resent-from resent-sender resent-reply-to resent-to resent-cc resent-bcc"
    b" disposition-notification-to return-receipt-to errors-to mail-followup-to mail-reply-to apparently-to"
    b" list-id keywords".split()
)
"""RFC 6857 section 3.2.1; of the last two a phrase is all that may be encoded."""
ENCAPSULATED = frozenset(
    b"message-id resent-message-id in-reply-to references original-message-id return-path delivered-to original-recipient"
    b" final-recipient dkim-signature arc-seal arc-message-signature arc-authentication-results authentication-results"
    b" received-spf list-post list-help list-archive list-owner list-subscribe list-unsubscribe content-location"
    b" archived-at content-base".split()
)
"""An encoded word must not stand in these."""

_FIELD = re.compile(rb"^([!-9;-~]++)[ \t]*+:([^\n]*+(?:\n[ \t][^\n]*+)*)\n?", re.MULTILINE)
_LINE = re.compile(rb"[^\n]*+\n?")
_FOR = re.compile(rb"\s++for\s++(<[^<>]*+>|[^\s;<>]++)", re.IGNORECASE)
_NOT_IN_A_FIELD = b"\r\n\0"


@dataclass(frozen=True, slots=True)
class _Field:
    name: bytes
    value: bytes
    """On one line."""
    room: int
    file_name: str
    """Of the part that the block describes."""


def downgraded(block: bytes) -> bytes:
    """The block in ASCII. Lines that belong to no field are left out where they are not."""
    if block.isascii():
        return block
    written, at = [], 0
    name = _file_name(block)
    for found in _FIELD.finditer(block):
        written.append(_ascii_lines(block[at : found.start()]))
        written.append(_field(found, name))
        at = found.end()
    written.append(_ascii_lines(block[at:]))
    return b"".join(written)


def _ascii_lines(octets: bytes) -> bytes:
    if octets.isascii():
        return octets
    return b"".join([line for line in _LINE.findall(octets) if line.isascii()])


def _file_name(block: bytes) -> str:
    """What Content-Disposition says, where that is not ASCII."""
    for found in _FIELD.finditer(block):
        if found[1].lower() == b"content-disposition":
            return "" if found[2].isascii() else file_name(_one_line(found[2]))
    return ""


def _field(found: "re.Match[bytes]", name: str) -> bytes:
    raw, kind = found[0], found[1].lower()
    if raw.isascii() and not (name and kind == b"content-type"):
        return raw
    field = _Field(found[1], _one_line(found[2]), room_for(found[1]), name)
    done = folded(field.name, _tokens(kind, field))
    if not done.isascii():
        done = folded(b"Downgraded-" + field.name, _encoded(field))
    return done if raw.endswith(b"\n") else done.removesuffix(b"\r\n")


def _tokens(kind: bytes, field: _Field) -> list[bytes]:
    if kind in ADDRESSES:
        return address_tokens(field.value, field.room)
    if kind in ENCAPSULATED:
        return [b" " + field.value]  # not ASCII
    return KINDS.get(kind, _text)(field)


def _text(field: _Field) -> list[bytes]:
    return unstructured(field.value, field.room)


def _encoded(field: _Field) -> list[bytes]:
    """Encapsulation: all of the value (RFC 6857 section 3.1.10)."""
    return [b" " + word for word in encoded(text_of(field.value), room_for(b"Downgraded-" + field.name))]


def _comments(field: _Field) -> list[bytes]:
    """Of a structured field with neither phrases nor addresses (RFC 6857 section 3.1.3); what else is not ASCII stays so."""
    tokens, at, value = [], 0, field.value
    while (start := value.find(b"(", at)) >= 0:
        tokens += _plain(value[at:start])
        at = comment_end(value, start)
        tokens += comment_tokens(value[start:at], field.room)
    return tokens + _plain(value[at:])


def _plain(value: bytes) -> list[bytes]:
    return [b" " + word for word in value.split()]


def _received(field: _Field) -> list[bytes]:
    """For whom it was received is left out where it cannot be said."""
    return _comments(_Field(field.name, _FOR.sub(_for, field.value), field.room, ""))


def _for(found: "re.Match[bytes]") -> bytes:
    if found[0].isascii():
        return found[0]
    spec = addr_spec(found[1].strip(b"<>"))
    return b"" if spec is None else b" for <" + spec + b">"


def _parameters(field: _Field) -> list[bytes]:
    return parameter_tokens(field.value, field.room, field.file_name if field.name.lower() == b"content-type" else "")


def _one_line(value: bytes) -> bytes:
    return value.translate(None, _NOT_IN_A_FIELD).strip()


KINDS: Mapping[bytes, Callable[[_Field], list[bytes]]] = {
    b"received": _received,
    b"content-type": _parameters,
    b"content-disposition": _parameters,
    b"date": _comments,
    b"resent-date": _comments,
    b"mime-version": _comments,
    b"content-transfer-encoding": _comments,
    b"content-id": _comments,
}
"""Where not all is text (RFC 6857 section 3.2)."""
