"""What is sent: an envelope, a content in some form, and the octets as the wire wants them."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from mailhost.message.form import Form

_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")


class Content(Protocol):
    """The octets of a message, and what a server must be able to take to have them as they are."""

    @property
    def octets(self) -> int:
        """About how many: for SIZE (RFC 1870 section 3 allows a guess)."""
        ...

    @property
    def requires(self) -> Form: ...

    def pieces(self) -> AsyncIterator[bytes]:
        """From the beginning; asked for again when it is sent again."""
        ...

    async def without(self, form: Form) -> "Content":
        """The same message for a server that does not take this."""
        ...


@dataclass(frozen=True, slots=True)
class To:
    """One recipient, and what the sender wants to hear of it (RFC 3461)."""

    path: str
    """As it stands between angle brackets."""
    notify: str | None = None
    original: str | None = None
    """Of ORCPT: the address's type, a semicolon, the address by its meaning."""


@dataclass(frozen=True, slots=True)
class By:
    """Until when the message is of use (RFC 2852 section 4)."""

    seconds: int
    """That are left; none or fewer when it is late already."""
    mode: str
    """R returns it when it is late, N tells the sender; a T behind it asks for a trace."""

    @property
    def returns(self) -> bool:
        return self.mode.startswith("R")


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One message for some recipients of one host."""

    reverse_path: str
    """Empty is the null one, of bounces."""
    recipients: Sequence[To]
    content: Content
    ret: str | None = None
    envid: str | None = None
    """By its meaning, without xtext."""
    by: By | None = None
    priority: int = 0
    """RFC 6710."""


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
        lines = piece if _is_in_order(piece) else _BARE.sub(b"\r\n", piece)
        stuffed = lines.replace(b"\n.", b"\n..")
        if self._at_line_start and stuffed.startswith(b"."):
            stuffed = b"." + stuffed
        self._at_line_start = stuffed.endswith(b"\n")
        return stuffed

    def end(self) -> bytes:
        """The last line is ended where it was not."""
        ending = b"" if self._at_line_start and not self._held else b"\r\n"
        return ending + b".\r\n"


def _is_in_order(piece: bytes) -> bool:
    """Whether no CR or LF stands alone: to count them costs a tenth of looking for one with a pattern."""
    return piece.count(b"\r\n") == piece.count(b"\n") == piece.count(b"\r")
