"""A reply, as a client hears it (RFC 5321 section 4.2), with its enhanced status code if it has one (RFC 2034)."""

import re
from dataclasses import dataclass

from mailhost.transport.channel import Channel, ChannelError, LineTooLong

LONGEST_LINE = 4_096
"""512 octets are what RFC 5321 section 4.5.3.1.5 allows; some hosts say more."""
MOST_LINES = 200
_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])([^\r\n]*))?")
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)")
SHOWN = 500


class NotSMTP(ChannelError):
    """What came is no reply."""


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
        return self.code < 400

    @property
    def is_final(self) -> bool:
        """Whether it is of no use to come again (RFC 5321 section 4.2.1)."""
        return self.code >= 500

    @property
    def status(self) -> str:
        """RFC 3463; made of the code where the host has sent none."""
        return self.enhanced or f"{self.code // 100}.0.0"


async def hear(channel: Channel) -> Heard:
    """Raises `NotSMTP`, and what the channel raises."""
    code, lines, enhanced = 0, list[str](), ""
    for _ in range(MOST_LINES):
        try:
            line = await channel.read_line(LONGEST_LINE)
        except LineTooLong:
            raise NotSMTP("a reply with a line that never ends") from None
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
    raise NotSMTP("a reply of too many lines")


def _printable(octets: bytes) -> str:
    """A host's words go into logs, notices and the trace."""
    text = octets.decode("utf-8", "replace")
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
