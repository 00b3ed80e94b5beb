"""The wire log: the dialogue of every session, as RFCs print it, for whoever watches or learns.

Each line names its time, protocol and connection, then who says it: C: the client, S: the server, -- what happened; where we are the
client ourselves, us: we, and them: the other host. A message
is shown as its header's lines and its size, in both directions and in all protocols alike; `full` shows its lines too.
"""

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, TextIO

from mailhost.events.event import CONNECTION_CLOSE, CONNECTION_OPEN, CONNECTION_TLS, DATA_BLOCK, Event
from mailhost.events.wire_text import LONGEST_LINE, MOST_LINES, Block, Lines, Shown, printable
from mailhost.ids import ConnectionId, JourneyId, text_of

LITERAL = re.compile(rb"\{([0-9]{1,10})\}\Z")
"""At the end of a line: so many octets follow that are no lines (RFC 3501 section 4.3)."""
WITH_HEADER = re.compile(
    rb"(?:BODY\[(?:[0-9.]+MIME|(?:[0-9.]+)?HEADER[^]]*)?\](?:<0>)?|RFC822|RFC822\.HEADER) \{[0-9]+\}\Z"
)
"""What FETCH calls octets that begin with a header (RFC 3501 section 7.4.2)."""
OTHER_MAIL = re.compile(rb"(?:BODY\[[^]]*\](?:<[0-9]+>)?|RFC822\.TEXT) \{[0-9]+\}\Z")


CLIENT_AND_SERVER = "C:", "S:"
US_AND_THEM = "us:", "them:"


class Speaker:
    """One side of one dialogue."""

    def __init__(self, *, full: bool) -> None:
        self._message = Shown.ALL if full else Shown.HEADER
        self._lines = Lines()
        self._block: Block | None = None
        self._left = 0
        """Octets of a literal that are still to come."""

    def says(self, octets: bytes, *, literals: bool) -> Iterator[str]:
        """Lines, and where they may have `literals`, those."""
        yield from self.ends_block()
        lines = self._said(octets, literals=literals)
        yield from islice(lines, MOST_LINES)
        if more := sum(1 for _ in lines):
            yield f"[{more} lines more]"

    def sends(self, event: Event) -> Iterator[str]:
        """A piece of a message; a piece that begins amid one has no header to show."""
        if self._block is None:
            amid = event.data.get("start", 0) > 0
            is_hidden = not event.octets
            self._block = Block(
                Shown.NOTHING if is_hidden or (amid and self._message is Shown.HEADER) else self._message,
                name="something refused" if is_hidden else "a message",
            )
        self._block.skip(event.data.get("unseen", 0))
        yield from self._block.take(event.octets)

    def ends_block(self) -> Iterator[str]:
        if self._block is not None and not self._left:
            block, self._block = self._block, None
            yield from block.end()

    def ends(self) -> Iterator[str]:
        """Nothing more comes: what is under way ends in the middle."""
        self._left = 0
        yield from self.ends_block()
        if self._lines.begun:
            yield from self._lines.end()

    def _said(self, octets: bytes, *, literals: bool) -> Iterator[str]:
        at = 0
        while at < len(octets):
            if self._block is not None:
                piece = octets[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield from self._block.take(piece)
                yield from self.ends_block()
                continue
            end = octets.find(b"\n", at)
            self._lines.add(octets[at : end if end >= 0 else len(octets)])
            at = end + 1 if end >= 0 else len(octets)
            if end >= 0:
                yield from self._lines.end()
                if literals and (found := LITERAL.search(self._lines.tail)):
                    self._left = int(found[1])
                    self._block = self._literal(self._lines.tail)
                    yield from self.ends_block()
                self._lines.tail = b""

    def _literal(self, announced: bytes) -> Block:
        """Mail is shown as mail; another literal, such as a subject in ENVELOPE, as a line would be."""
        if WITH_HEADER.search(announced):
            return Block(self._message)
        if OTHER_MAIL.search(announced):
            return Block(Shown.ALL if self._message is Shown.ALL else Shown.NOTHING)
        return Block(Shown.ALL, LONGEST_LINE, name="")


class Dialogue:
    """One connection, as it is shown."""

    def __init__(self, *, full: bool) -> None:
        self.protocol = ""
        self._client, self._server = Speaker(full=full), Speaker(full=full)
        self._marks = CLIENT_AND_SERVER
        self._journey: JourneyId | None = None

    def shown(self, event: Event) -> Iterator[tuple[str, str]]:
        """Who, and what: whoever speaks has heard the other out."""
        self.protocol = event.data.get("protocol", self.protocol)
        if event.data.get("outgoing"):
            self._marks = US_AND_THEM
        if self._marks is US_AND_THEM and event.journey not in (None, self._journey):
            self._journey = event.journey
            yield "--", f"journey {text_of(event.journey or 0)}"
        client, server = self._marks
        if event.direction:
            us, other = (self._client, self._server) if event.direction == "C" else (self._server, self._client)
            mark, other_mark = (client, server) if event.direction == "C" else (server, client)
            yield from ((other_mark, line) for line in other.ends_block())
            yield from ((mark, line) for line in self._spoken(us, event))
        elif event.kind in HAPPENED:
            if event.kind == CONNECTION_CLOSE:
                yield from ((client, line) for line in self._client.ends())
                yield from ((server, line) for line in self._server.ends())
            yield "--", printable(HAPPENED[event.kind](event.data, event.cause))

    def _spoken(self, speaker: Speaker, event: Event) -> Iterator[str]:
        if event.kind == DATA_BLOCK:
            yield from speaker.sends(event)
            return
        is_server = event.direction == "S"
        octets = event.octets if is_server else event.octets + b"\r\n"  # a line is read without its end
        yield from speaker.says(octets, literals=is_server and self.protocol == "imap")
        if event.data.get("cut"):
            yield "[this line is too long: it is not read to its end]"


def _opened(data: Mapping[str, Any], _: str) -> str:
    if data.get("outgoing"):
        return f"we connect to {data.get('host')}: {data.get('address')} port {data.get('port')}"
    tls = f", {data['tls']}" if data.get("tls") else ""
    return f"{data.get('address')} port {data.get('port')} connects to {data.get('listener')}{tls}"


def _began_tls(data: Mapping[str, Any], _: str) -> str:
    return f"TLS begins: {data.get('tls')}"


def _closed(_: Mapping[str, Any], cause: str) -> str:
    return f"the connection ends: {cause}"


HAPPENED: Mapping[str, Callable[[Mapping[str, Any], str], str]] = {
    CONNECTION_OPEN: _opened,
    CONNECTION_TLS: _began_tls,
    CONNECTION_CLOSE: _closed,
}


class WireLog:
    """A sink for lines that prints them."""

    def __init__(self, stream: TextIO | None = None, *, full: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._full = full
        self._dialogues: dict[ConnectionId | None, Dialogue] = {}
        """Of the connections that are open."""

    def __call__(self, event: Event) -> None:
        if not event.direction and event.kind not in HAPPENED:
            return
        dialogue = self._dialogues.setdefault(event.connection, Dialogue(full=self._full))
        said = [self._line(event, dialogue.protocol, mark, text) for mark, text in dialogue.shown(event)]
        if event.kind == CONNECTION_CLOSE:
            del self._dialogues[event.connection]
        if said:
            self._stream.write("".join(said))
            self._stream.flush()

    def _line(self, event: Event, protocol: str, mark: str, text: str) -> str:
        seconds, milliseconds = divmod(event.at, 1000)
        clock = f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"
        connection = "" if event.connection is None else str(event.connection)
        return f"{clock} {protocol:4} {connection:>4} {mark} {text}\n"
