"""What of a line is a password, and is shown to nobody: neither in the wire log nor in an answer."""

import re

from mailhost.conversation.secrets import MASK, mechanism_shown

SECRET = frozenset({"LOGIN", "AUTHENTICATE"})
"""Commands whose arguments nobody may see."""
_SECRET = re.compile(rb"(.{0,300}?\b(?:login|(authenticate))) *(.*)", re.IGNORECASE | re.DOTALL)
_LOOKED_AT = 400
_TAG = re.compile(rb"[A-Za-z]{0,8}[0-9.]{1,12}")
"""As clients make them."""


def masked(line: bytes) -> bytes:
    """LOGIN's arguments and AUTHENTICATE's response are secrets, wherever in the beginning of a line they stand."""
    found = _SECRET.match(line[:_LOOKED_AT])
    if found is None or not found[3].strip():
        return line
    if found[2] is None:
        return found[1] + b" " + MASK
    mechanism, _, response = found[3].partition(b" ")
    return b" ".join([found[1], mechanism_shown(mechanism)] + [MASK] * bool(response.strip()))


def unknown_masked(line: bytes) -> bytes:
    """What is no command, after a try to log in: at most its tag is shown, if it looks like one."""
    tag, blank, _ = line.partition(b" ")
    return tag + b" " + MASK if blank and _TAG.fullmatch(tag) else MASK


def verb_of(line: bytes) -> str:
    """The second word of a line, in upper case."""
    return b"".join(line[:_LOOKED_AT].split(b" ", 2)[1:2]).decode("ascii", "replace").upper()
