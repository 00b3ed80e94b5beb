"""Line ends: mail has CRLF and nothing else (RFC 5322 section 2.3); what IMAP's APPEND brings may have others."""


def with_crlf(octets: bytes) -> bytes:
    """CRLF for each CRLF, CR and LF; three replacements take a tenth of what a pattern takes."""
    return octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")


def has_bare_newline(octets: bytes) -> bool:
    pairs = octets.count(b"\r\n")
    return octets.count(b"\n") != pairs or octets.count(b"\r") != pairs


class CRLF:
    """Octets whose lines end as they may, rewritten so that each ends with CRLF; a CRLF is never split between two pieces."""

    def __init__(self) -> None:
        self._held = b""
        self._in_line = False

    def take(self, piece: bytes) -> bytes:
        data = self._held + piece
        self._held = b"\r" if data.endswith(b"\r") else b""
        return self._rewritten(data.removesuffix(b"\r"))

    def end(self) -> bytes:
        """What closes the last line."""
        if self._held or self._in_line:
            self._held, self._in_line = b"", False
            return b"\r\n"
        return b""

    def _rewritten(self, data: bytes) -> bytes:
        if data:
            if has_bare_newline(data):
                data = with_crlf(data)
            self._in_line = not data.endswith(b"\r\n")
        return data


class CRLFSize:
    """How many octets `CRLF` makes of what it takes: the size that POP3 tells (RFC 1939 section 11)."""

    def __init__(self) -> None:
        self.size = 0
        self._last = b"\n"

    def take(self, piece: bytes) -> None:
        if piece:
            pairs = piece.count(b"\r\n")
            newlines = piece.count(b"\r") + piece.count(b"\n") - pairs
            if self._last == b"\r" and piece.startswith(b"\n"):  # the CR before has been counted as a line end
                newlines -= 1
            self.size += len(piece) - piece.count(b"\r") - piece.count(b"\n") + 2 * newlines
            self._last = piece[-1:]

    def end(self) -> int:
        """With the end of the last line."""
        return self.size if self._last in (b"\r", b"\n") else self.size + 2
