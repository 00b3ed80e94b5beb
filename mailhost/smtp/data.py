"""Where a message ends, and what its octets are: by dots (RFC 5321 section 4.5.2), where only CRLF.CRLF ends data, or by chunks."""

import re
from typing import Protocol

from mailhost.message.newlines import has_bare_newline, with_crlf


class Decoder(Protocol):
    """Makes the message's octets of what comes; says what they held that mail must not."""

    bare_newlines: bool
    nul: bool
    rest: bytes | None
    """What followed the end, where the octets themselves tell it: the next commands."""

    def feed(self, data: bytes) -> bytes: ...
    def as_sent(self, data: bytes) -> bytes:
        """Of the octets that were fed last, those of the message, dots and all: for the wire log, which asks after each feed."""
        ...

    def end(self) -> bytes:
        """What was held back, once all has come."""
        ...


END = b"\r\n.\r\n"
KEPT_BACK = len(END) - 1
_FINAL_DOT = re.compile(rb"(?<=\r\n)\.(?:\r\n?)?\Z")


class DataDecoder:
    """Takes the octets after 354 in any pieces, and gives those of the message.

    `bare_newlines` and `nul` say what it held that mail must not; whoever refuses it still reads to its end, or the rest of
    the message would be read as commands (the smuggling of CVE-2023-51764). With `normalise`, a CR or LF that stands alone
    becomes a line end of the message, and no more than that: neither does it end data, nor is a dot after it taken away.
    """

    __slots__ = ("_dot", "_held", "_is_first", "_normalise", "_passed", "bare_newlines", "nul", "rest")

    def __init__(self, *, normalise: bool = False) -> None:
        self._held = b"\r\n"  # the line end of DATA itself: a lone dot may be the first line
        self._is_first = True
        self._dot = b""
        self._passed = b"\r\n"
        self._normalise = normalise
        self.bare_newlines = False
        self.nul = False
        self.rest: bytes | None = None
        """What followed the end, once the end has come: the next commands."""

    def end(self) -> bytes:
        """Nothing is held back once the end has come."""
        return b""

    def feed(self, data: bytes) -> bytes:
        """The message's octets that are certain by now."""
        seen = self._held + data
        end = seen.find(END)
        if end >= 0:
            self.rest = seen[end + len(END) :]
            return self._content(seen[: end + 2])
        cut = _safe_cut(seen)
        self._held = seen[cut:]
        return self._content(seen[:cut])

    def as_sent(self, data: bytes) -> bytes:
        """A dot at the beginning of a line is held back until it is known whether it ends the message."""
        before = len(self._passed)
        seen = self._passed + self._dot + data.removesuffix(self.rest or b"")
        found = _FINAL_DOT.search(seen)
        self._dot = found[0] if found else b""
        seen = seen.removesuffix(self._dot)
        self._passed = seen[-2:]
        return seen[before:]

    def _content(self, octets: bytes) -> bytes:
        """No CRLF and no stuffed dot lies across the borders of `octets`."""
        if not octets:
            return octets
        self.nul = self.nul or b"\0" in octets
        has_bare = has_bare_newline(octets)
        octets = octets.replace(b"\r\n.", b"\r\n")
        if has_bare and self._normalise:
            octets = with_crlf(octets)
        self.bare_newlines = self.bare_newlines or (has_bare and not self._normalise)
        if self._is_first:
            self._is_first = False
            octets = octets[2:]
        return octets


def _safe_cut(octets: bytes) -> int:
    """A place before which no line end and no stuffed dot is half seen."""
    cut = max(len(octets) - KEPT_BACK, 0)
    if octets[:cut].endswith(b"\r"):
        return cut - 1
    if octets[:cut].endswith(b"\r\n"):
        return cut - 2
    return cut


class ChunkDecoder:
    """Takes the octets of chunks (RFC 3030), whose number is told before: nothing in them ends the message, nothing is unstuffed.

    Lines still end with CRLF and hold no NUL, unless the message is `binary`.
    """

    __slots__ = ("_binary", "_held", "_normalise", "bare_newlines", "nul", "rest")

    def __init__(self, *, normalise: bool = False, binary: bool = False) -> None:
        self._held = b""
        self._normalise = normalise
        self._binary = binary
        self.bare_newlines = False
        self.nul = False
        self.rest: bytes | None = None

    def feed(self, data: bytes) -> bytes:
        """The message's octets that are certain by now: a CR at the end may be half of a CRLF."""
        if self._binary:
            return data
        seen = self._held + data
        self._held = b"\r" if seen.endswith(b"\r") else b""
        return self._content(seen.removesuffix(b"\r"))

    def as_sent(self, data: bytes) -> bytes:
        """All of it: their number ends the octets."""
        return data

    def end(self) -> bytes:
        """What was held back, once the last chunk has come."""
        held, self._held = self._held, b""
        return self._content(held)

    def _content(self, octets: bytes) -> bytes:
        self.nul = self.nul or b"\0" in octets
        if has_bare_newline(octets):
            if self._normalise:
                return with_crlf(octets)
            self.bare_newlines = True
        return octets
