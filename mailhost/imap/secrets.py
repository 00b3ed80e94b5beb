"""What of a line is a password, and is shown to nobody: neither in the wire log nor in an answer."""

import re

SECRET = frozenset({"LOGIN", "AUTHENTICATE"})
"""Commands whose arguments nobody may see."""
_SECRET = re.compile(
    rb"(.{0,300}?\b(?:login|authenticate +[A-Z0-9_-]+(?![A-Z0-9_-]))) *(?=.)", re.IGNORECASE | re.DOTALL
)
MASK = b" ***"


def masked(line: bytes) -> bytes:
    """LOGIN's arguments and AUTHENTICATE's response are secrets, wherever in the beginning of a line they stand."""
    found = _SECRET.match(line[:400])
    return line if found is None else found[1] + MASK
