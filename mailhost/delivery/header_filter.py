"""What is done to the header block on its way in, once; what comes out is kept for ever as it is (design: octet rules)."""

from mailhost.ids import Millis, text_of
from mailhost.message.dates import format_date
from mailhost.message.headers import fields, remove_fields


def submitted(header: bytes, host: str, journey: int, now: Millis) -> bytes:
    """What a user submits loses Bcc, and gains the Date and Message-ID that it lacks (RFC 6409 sections 8.2 and 8.3)."""
    header = remove_fields(header, lambda name, _: name == b"bcc")
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
    identity = raw.partition(b":")[2].partition(b";")[0].split()
    return bool(identity) and identity[0].lower() == host.lower().encode()
