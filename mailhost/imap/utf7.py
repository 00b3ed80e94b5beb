"""Modified UTF-7: how mailbox names beyond ASCII travel (RFC 3501 section 5.1.3)."""

import base64
import binascii
import re

_BEYOND = re.compile(r"[^\x20-\x7e]+|&")
_SHIFTED = re.compile(r"&([^-]*)(-?)")


def encode(name: str) -> bytes:
    return _BEYOND.sub(lambda found: "&-" if found[0] == "&" else f"&{_shift(found[0])}-", name).encode("ascii")


def decode(octets: bytes) -> str:
    """Raises ValueError for what this encoding would never write: two spellings of one name would be two mailboxes."""
    try:
        name = _SHIFTED.sub(_unshift, octets.decode("ascii"))
    except UnicodeDecodeError:
        raise ValueError("a mailbox name is ASCII") from None
    if encode(name) != octets:
        raise ValueError("not the one spelling of the name in modified UTF-7")
    return name


def _shift(text: str) -> str:
    octets = text.encode("utf-16-be")
    return base64.b64encode(octets).decode().rstrip("=").replace("/", ",")


def _unshift(found: "re.Match[str]") -> str:
    encoded, end = found.groups()
    if not end:
        raise ValueError("a shift in modified UTF-7 has no end")
    if not encoded:
        return "&"
    try:
        octets = base64.b64decode(encoded.replace(",", "/") + "=" * (-len(encoded) % 4), validate=True)
        return octets.decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError):
        raise ValueError("a shift in modified UTF-7 is not UTF-16 in base64") from None
