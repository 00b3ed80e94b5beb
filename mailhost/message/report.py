"""A delivery status notification as octets: multipart/report (RFC 6522) of a text, what a program reads (RFC 3464), and the message or its header.

It is 7-bit clean, except in the forms of RFC 6533, for readers that take UTF-8, and where an 8-bit message comes back whole.
"""

import enum
import re
from binascii import b2a_base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mailhost.message.address import Address
from mailhost.message.dates import format_date
from mailhost.message.encoded_words import folded, room_for, unstructured
from mailhost.message.newlines import has_bare_newline

LONGEST_VALUE = 2_000
"""Characters of a field that tells what a host has said."""
LONGEST_LINE = 78
LONGEST_WORD = 960
"""Octets; a longer word is broken: no line may have more than 998 (RFC 5322 section 2.1.1)."""
PIECE_OF_WORD = 240
"""Characters, of up to four octets."""

_QCHARS = frozenset(map(chr, range(0x21, 0x7F))) - set("+=\\")
"""What stands for itself in an address of type utf-8 (RFC 6533 section 3)."""
_LONG_LINE = re.compile(rb"[^\n]{999}")


class Action(enum.StrEnum):
    """RFC 3464 section 2.3.3."""

    FAILED = "failed"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    EXPANDED = "expanded"


@dataclass(frozen=True, slots=True)
class Reported:
    """What became of one recipient."""

    recipient: str
    action: Action
    status: str
    """RFC 3463."""
    original: str | None = None
    """`rfc822;bob@example.org`, the address by its meaning; None when the sender used the same one."""
    host: str | None = None
    """The other host that spoke."""
    reply: str | None = None
    """What it said."""
    reason: str | None = None
    """Why, in our words, where no host has said anything."""
    tried: int | None = None
    """When, in milliseconds since 1970 UTC."""
    retried_until: int | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """What comes back of the message: its header, or all of it."""

    octets: bytes
    is_whole: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """A notice, before it is octets."""

    host: str
    """Who reports."""
    sender: Address
    to: Address
    subject: str
    text: str
    """Lines end with \\n."""
    at: int
    message_id: str
    about: str
    """The Message-ID of the message, with its brackets; empty when it has none."""
    arrived: int
    envid: str | None
    recipients: Sequence[Reported]
    returned: Returned | None = None
    takes_utf8: bool = False
    """Whether the reader understands the forms of RFC 6533."""
    deliver_by: int | None = None
    """When the message was to be there, as its sender asked (RFC 2852)."""
    name: str = "Mail Delivery System"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the multipart."""

    kind: str
    encoding: str
    description: str
    octets: bytes


@dataclass(frozen=True, slots=True)
class Notice:
    """A report as it is sent. It ends with a line end."""

    octets: bytes
    is_utf8: bool
    """Whether it can go only where SMTPUTF8 is: for an address in its own header, or for a form of RFC 6533."""

    @property
    def is_8bit(self) -> bool:
        return not self.octets.isascii()


def report(about: Report) -> Notice:
    """The notice, ready to be sent."""
    parts = [_text(about), _status(about)]
    if about.returned is not None:
        parts.append(_returned(about.returned, takes_utf8=about.takes_utf8))
    delimiter = _delimiter(about.message_id, parts)
    header = _header(about, delimiter, parts)
    pieces = [f"\r\n--{delimiter}\r\n".encode() + _part_header(part) + b"\r\n" + part.octets for part in parts]
    preamble = b"This is a delivery status notification in MIME format.\r\n"
    octets = b"".join([header, preamble, *pieces, f"\r\n--{delimiter}--\r\n".encode()])
    return Notice(octets, not header.isascii() or any(part.kind.startswith("message/global") for part in parts))


# The header.


def _header(about: Report, delimiter: str, parts: Sequence[Part]) -> bytes:
    kind = "global-delivery-status" if "global" in parts[1].kind else "delivery-status"
    encoding = "7bit" if all(part.octets.isascii() for part in parts) else "8bit"
    lines = [
        f"From: {about.name} <{one_line(about.sender.text())}>",
        f"To: <{one_line(about.to.text())}>",
        folded(b"Subject", unstructured(one_line(about.subject).encode(), room_for(b"Subject"))).decode().rstrip(),
        f"Date: {format_date(about.at)}",
        f"Message-ID: {about.message_id}",
        *_references(about.about),
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type={kind};\r\n boundary="{delimiter}"',
        f"Content-Transfer-Encoding: {encoding}",
    ]
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


def _references(message_id: str) -> list[str]:
    """Of what names itself with a Message-ID that can be repeated."""
    is_plain = message_id.isascii() and message_id.isprintable() and len(message_id) <= LONGEST_WORD
    if not is_plain or not re.fullmatch(r"<[^<>\s]+>", message_id):
        return []
    return [f"In-Reply-To: {message_id}", f"References: {message_id}"]


def _delimiter(message_id: str, parts: Sequence[Part]) -> str:
    """A line that stands in none of the parts."""
    base = "=_" + "".join(c for c in message_id.partition("@")[0] if c.isascii() and c.isalnum())[:40]
    number = 0
    while any(f"--{base}_{number}".encode() in part.octets for part in parts):
        number += 1
    return f"{base}_{number}"


def _part_header(part: Part) -> bytes:
    return (
        f"Content-Type: {part.kind}\r\n"
        f"Content-Description: {part.description}\r\n"
        f"Content-Transfer-Encoding: {part.encoding}\r\n"
    ).encode()


# The parts.


def _text(about: Report) -> Part:
    text = "".join(f"{_clean(line)}\r\n" for line in about.text.splitlines())
    octets = text.encode("utf-8", "replace")
    if octets.isascii() and not _LONG_LINE.search(octets):
        return Part("text/plain; charset=us-ascii", "7bit", "Notification", octets)
    return Part("text/plain; charset=utf-8", "base64", "Notification", _base64(octets))


def _status(about: Report) -> Part:
    """Fields of the message, then those of each recipient, with an empty line between."""
    groups = [_message_fields(about), *(_recipient_fields(each, about.takes_utf8) for each in about.recipients)]
    text = "\r\n".join("".join(group) for group in groups)
    if text.isascii():
        return Part("message/delivery-status", "7bit", "Delivery report", text.encode())
    return Part("message/global-delivery-status", "8bit", "Delivery report", text.encode("utf-8", "replace"))


def _message_fields(about: Report) -> Iterator[str]:
    if about.envid:
        yield _field("Original-Envelope-Id", _ascii(about.envid))
    yield _field("Reporting-MTA", f"dns; {_ascii(about.host)}")
    yield _field("Arrival-Date", format_date(about.arrived))
    if about.deliver_by is not None:
        yield _field("Deliver-By-Date", format_date(about.deliver_by))


def _recipient_fields(each: Reported, takes_utf8: bool) -> Iterator[str]:
    shown = one_line if takes_utf8 else _ascii
    if each.original:
        kind, _, address = each.original.partition(";")
        yield _field("Original-Recipient", _typed(kind, address, takes_utf8))
    yield _field("Final-Recipient", _typed("rfc822", each.recipient, takes_utf8))
    yield _field("Action", each.action)
    yield _field("Status", each.status)
    if each.host:
        yield _field("Remote-MTA", f"dns; {_ascii(each.host)}")
    if each.reply:
        yield _field("Diagnostic-Code", f"smtp; {shown(each.reply)}")
    elif each.reason:
        yield _field("Diagnostic-Code", f"x-mailhost; {shown(each.reason)}")
    if each.tried is not None:
        yield _field("Last-Attempt-Date", format_date(each.tried))
    if each.retried_until is not None:
        yield _field("Will-Retry-Until", format_date(each.retried_until))


def _typed(kind: str, address: str, takes_utf8: bool) -> str:
    """address-type ";" generic-address; an address that is not ASCII is of type utf-8 (RFC 6533 section 3)."""
    if address.isascii() and kind != "utf-8":
        return f"{_ascii(kind)}; {one_line(address)}"
    return f"utf-8; {''.join(_in_utf8_address(character, takes_utf8) for character in one_line(address))}"


def _in_utf8_address(character: str, takes_utf8: bool) -> str:
    if character in _QCHARS or (takes_utf8 and not character.isascii()):
        return character
    return f"\\x{{{ord(character):X}}}"


def _returned(returned: Returned, *, takes_utf8: bool) -> Part:
    """The message whole where its octets can travel in a notice; else its header."""
    octets = returned.octets
    header = octets[: _header_end(octets)]
    if returned.is_whole and _can_travel(octets):
        if header.isascii():
            return Part("message/rfc822", "7bit" if octets.isascii() else "8bit", "Undelivered message", octets)
        if takes_utf8 and _is_utf8(header):
            return Part("message/global", "8bit", "Undelivered message", octets)
    if header.isascii() and _can_travel(header):
        return Part("text/rfc822-headers", "7bit", "Header of the message", header)
    if takes_utf8 and _is_utf8(header) and _can_travel(header):
        return Part("message/global-headers", "8bit", "Header of the message", header)
    charset = "; charset=utf-8" if _is_utf8(header) else ""
    return Part(f"text/rfc822-headers{charset}", "base64", "Header of the message", _base64(header))


def _header_end(octets: bytes) -> int:
    if octets.startswith(b"\r\n"):
        return 0
    end = octets.find(b"\r\n\r\n")
    return len(octets) if end < 0 else end + 2


def _can_travel(octets: bytes) -> bool:
    """Neither binary nor with lines that are too long: such a part may have no encoding of its own (RFC 2046 section 5.2.1)."""
    return b"\0" not in octets and not has_bare_newline(octets) and not _LONG_LINE.search(octets.replace(b"\r", b""))


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


# Words.


def one_line(text: str) -> str:
    """Whatever was said: one line without control characters, and no longer than a field may be."""
    return _clean(text[:LONGEST_VALUE])


def _clean(text: str) -> str:
    text = text.encode("utf-8", "replace").decode()  # no halves of surrogate pairs
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _ascii(text: str) -> str:
    return one_line(text).encode("ascii", "replace").decode()


def _field(name: str, value: str) -> str:
    """Folded before blanks, so that no line is longer than mail allows; a word that never ends is broken."""
    lines, line = [], f"{name}:"
    for word in _words(value):
        if len(line) + len(word) >= LONGEST_LINE and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line]) + "\r\n"


def _words(value: str) -> Iterator[str]:
    for word in value.split():
        if len(word.encode()) <= LONGEST_WORD:
            yield word
        else:
            yield from (word[start : start + PIECE_OF_WORD] for start in range(0, len(word), PIECE_OF_WORD))


def _base64(octets: bytes) -> bytes:
    pieces = (octets[start : start + 57] for start in range(0, len(octets), 57))
    return b"".join(b2a_base64(piece, newline=False) + b"\r\n" for piece in pieces)
