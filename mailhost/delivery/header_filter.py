"""What is done to the header block on its way in, once; what comes out is kept for ever as it is (design: octet rules)."""

import re

from mailhost.ids import Millis, text_of
from mailhost.message.dates import format_date
from mailhost.message.headers import fields, remove_fields
from mailhost.message.lexical import QUOTED_STRING, unescape, unfold, without_comments

_IDENTITY_END = re.compile(rb"[;(\s]")
BLIND = frozenset({b"bcc", b"resent-bcc"})
"""Who gets a copy and is named to nobody (RFC 5322 sections 3.6.3 and 3.6.6)."""


def submitted(header: bytes, host: str, journey: int, now: Millis) -> bytes:
    """What a user submits loses Bcc, and gains the Date and Message-ID that it lacks (RFC 6409 sections 8.2 and 8.3)."""
    header = remove_fields(header, lambda name, _: name in BLIND)
    present = {name.lower() for name, _ in fields(header)}
    added = b""
    if b"date" not in present:
        added += f"Date: {format_date(now)}\r\n".encode()
    if b"message-id" not in present:
        added += f"Message-ID: <{text_of(journey)}@{host}>\r\n".encode()
    return added + header


def received(header: bytes, host: str) -> bytes:
    """What other hosts send loses verdicts that claim to be ours (RFC 8601 section 5)."""
    return remove_fields(header, lambda name, raw: name == b"authentication-results" and _claims(raw, host))


def _claims(raw: bytes, host: str) -> bool:
    """authserv-id = value: a token or a quoted string, and comments wherever they please (RFC 8601 section 2.2)."""
    value = without_comments(unfold(raw.partition(b":")[2]))
    if quoted := QUOTED_STRING.match(value.strip()):
        return unescape(quoted[1]).strip().lower() == host.lower().encode()
    identity = _IDENTITY_END.split(value.strip(), maxsplit=1)[0]
    return identity.lower() == host.lower().encode()
