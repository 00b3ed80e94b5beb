"""What is sent: an envelope, and the octets in the form that the wire wants."""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


@dataclass(frozen=True, slots=True)
class To:
    """One recipient, and what the sender wants to hear of it (RFC 3461)."""

    path: str
    """As it stands between angle brackets."""
    notify: str | None = None
    original: str | None = None
    """ORCPT's value: `rfc822;` and xtext."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for some recipients of one host."""

    reverse_path: str
    """Empty is the null one, of bounces."""
    recipients: Sequence[To]
    octets: int
    """About how many: for SIZE (RFC 1870 section 3 allows a guess)."""
    pieces: Callable[[], AsyncIterator[bytes]]
    """The content from its beginning; asked for again when it is sent again."""
    is_8bit: bool = False
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None


class Dots:
    """DATA's form: each line ends with CRLF, a leading dot is doubled, one dot ends all (RFC 5321 section 4.5.2).

    A CR or LF that stands alone is no line end on this wire (RFC 5321 section 2.3.8); what was kept with one goes out with CRLF.
    """

    def __init__(self) -> None:
        self._held = b""
        """A CR whose LF may be in the next piece."""
        self._at_line_start = True

    def feed(self, piece: bytes) -> bytes:
        piece, self._held = self._held + piece, b""
        if piece.endswith(b"\r"):
            piece, self._held = piece[:-1], b"\r"
        if not piece:
            return b""
        lines = _BARE.sub(b"\r\n", piece)
        stuffed = lines.replace(b"\n.", b"\n..")
        if self._at_line_start and stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_line_start = stuffed.endswith(b"\n")
        return stuffed

    def end(self) -> bytes:
        """The last line is ended where it was not."""
        ending = b"" if self._at_line_start and not self._held else b"\r\n"
        return ending + b".\r\n"
