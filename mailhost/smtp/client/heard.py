"""A reply, as a client hears it (RFC 5321 section 4.2), with its enhanced status code if it has one (RFC 2034)."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from mailhost.transport.channel import Channel, ChannelError, LineTooLong

LONGEST_LINE = 4_096
"""512 octets are what RFC 5321 section 4.5.3.1.5 allows; some hosts say more."""
MOST_LINES = 200
MOST_OCTETS = 64 << 10
"""Of all lines together."""
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?")
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)", re.ASCII)
SHOWN = 500
SERVICE_CLOSES = 421
"""May be the reply to anything (RFC 5321 section 3.8)."""


class NotSMTP(ChannelError):
    """What came is no reply, or none that belongs here."""


@dataclass(frozen=True, slots=True)
class Heard:
    """One reply."""

    code: int
    enhanced: str
    """`5.1.1`, or nothing: then the code alone tells."""
    lines: tuple[str, ...]

    def __str__(self) -> str:
        """As the trace shows it: one line."""
        status = f"{self.enhanced} " if self.enhanced else ""
        return f"{self.code} {status}{' '.join(self.lines)}"[:SHOWN].strip()

    @property
    def is_good(self) -> bool:
        """Done, and not merely begun: 354 in the wrong place takes no mail."""
        return 200 <= self.code < 300

    @property
    def is_final(self) -> bool:
        """Whether it is of no use to come again (RFC 5321 section 4.2.1)."""
        return self.code >= 500

    @property
    def status(self) -> str:
        """RFC 3463; made of the code where the host has sent none."""
        if 300 <= self.code < 400:
            return "4.5.0"
        return self.enhanced or f"{self.code // 100}.0.0"


async def hear(channel: Channel, within: float, watch: Callable[[bytes], object] | None = None) -> Heard:
    """One reply, all of it in so many seconds; `watch` is told each line. Raises `NotSMTP`, and what the channel raises."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    code, octets, lines, enhanced = 0, 0, list[str](), ""
    for _ in range(MOST_LINES):
        channel.timeout = max(until - loop.time(), 0.0)
        try:
            line = await channel.read_line(LONGEST_LINE, skip=False)
        except LineTooLong:
            raise NotSMTP("a reply with a line that never ends") from None
        octets += len(line)
        if watch is not None:
            watch(line)
        found = _LINE.fullmatch(line)
        if found is None or (code and int(found[1]) != code):
            raise NotSMTP(f"no reply of SMTP: {_printable(line[:SHOWN])}")
        code = int(found[1])
        text = _printable(found[3] or b"")
        status = _ENHANCED.match(text)
        if status is not None and int(status[1][0]) == code // 100:
            enhanced, text = status[1], text[status.end() :]
        lines.append(text)
        if found[2] != b"-":
            return Heard(code, enhanced, tuple(lines))
        if octets > MOST_OCTETS:
            break
    raise NotSMTP("a reply of too many lines")


def _printable(octets: bytes) -> str:
    """A host's words go into logs, notices and the trace."""
    text = octets.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
