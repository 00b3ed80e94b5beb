"""Octets of a dialogue as lines for people: bounded, without control characters, a message as its header and its size."""

from collections.abc import Iterator
from enum import Enum

LONGEST_LINE = 2000
"""Octets of one line that are shown."""
MOST_LINES = 200
"""Lines of one answer that are shown: a listing of 50,000 would bury the dialogue."""
MOST_HEADER_LINES = 100
LONGEST_TAIL = 1024
"""Octets at the end of a line that are kept: BODY[HEADER.FIELDS (...)] before a literal may be long."""
FULL_OCTETS = 64 << 10
"""Of one message that are shown where all is wanted."""


class Shown(Enum):
    """What of a message or a literal is shown, beside its size."""

    NOTHING = 0
    HEADER = 1
    ALL = 2


def printable(text: str) -> str:
    """Control characters are shown, never sent to the terminal: a client's words may hold any."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


class Lines:
    """Makes lines of octets, whatever the pieces they come in; of a long one its head, and how much more there was."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._octets = 0
        self.tail = b""
        """The last octets of the last line: in IMAP they announce a literal."""

    @property
    def begun(self) -> bool:
        """Whether there is a line without its end."""
        return self._octets > 0

    def add(self, octets: bytes) -> None:
        """Octets within a line."""
        self._head += octets[: LONGEST_LINE + 1 - len(self._head)]  # one more, which may be the CR of its end
        self._octets += len(octets)
        self.tail = (self.tail + octets[-LONGEST_TAIL:])[-LONGEST_TAIL:]

    def end(self) -> Iterator[str]:
        """The line ends here."""
        octets, more = bytes(self._head[:LONGEST_LINE]), self._octets - LONGEST_LINE
        if self.tail.endswith(b"\r"):
            octets, more, self.tail = octets.removesuffix(b"\r"), more - 1, self.tail[:-1]
        self._head.clear()
        self._octets = 0
        yield "\t".join(map(printable, octets.decode("utf-8", "backslashreplace").split("\t")))
        if more > 0:
            yield f"[{more} octets more in this line]"

    def take(self, octets: bytes) -> Iterator[str]:
        """The lines that end in `octets`."""
        *whole, rest = octets.split(b"\n")
        for line in whole:
            self.add(line)
            yield from self.end()
            self.tail = b""
        self.add(rest)


class Block:
    """A message, or another literal, on its way."""

    def __init__(self, shown: Shown, most: int = FULL_OCTETS, *, name: str = "a message") -> None:
        self.octets = 0
        self._shown = shown
        self._most = most
        self._name = name
        self._lines = Lines()
        self._count = 0

    def take(self, octets: bytes) -> Iterator[str]:
        """What of these octets is shown."""
        start, self.octets = self.octets, self.octets + len(octets)
        if self._shown is Shown.ALL:
            yield from self._lines.take(octets[: max(self._most - start, 0)])
        elif self._shown is Shown.HEADER:
            for line in self._lines.take(octets):
                self._count += 1
                if not line or self._count > MOST_HEADER_LINES:
                    self._shown = Shown.NOTHING
                    yield from ["[more lines of the header]"] if line else []
                    break
                yield line

    def skip(self, octets: int) -> None:
        """So many that are not even looked at."""
        self.octets += octets

    def end(self) -> Iterator[str]:
        """How much it was; of a short literal that is no message, the octets alone say it."""
        if self._shown is not Shown.NOTHING and self._lines.begun:
            yield from self._lines.end()
        if self._name or self.octets > self._most:
            yield f"[{self.octets} octets of {self._name or 'a literal'}]"
