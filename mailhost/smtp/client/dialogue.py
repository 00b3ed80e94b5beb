"""Commands out, replies in, and the count of both: a reply that nobody asked for is never taken for the answer to what is asked next.

Else a server that says one "250" too much would have mail counted as taken that it never took.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.smtp.client.heard import SERVICE_CLOSES, Heard, NotSMTP, hear
from mailhost.smtp.client.watch import Watch, without_secret
from mailhost.transport.channel import Channel, ChannelError, EndOfInput


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for each step (RFC 5321 section 4.5.3.2)."""

    greeting: float = 300.0
    command: float = 300.0
    data: float = 120.0
    block: float = 180.0
    end: float = 600.0
    message: float = 7_200.0
    """One transaction, however busy it is: a server that takes an octet a minute is given up."""


class Declined(ChannelError):
    """A reply after which there is nothing to be done in this session: to the greeting, to EHLO and HELO, to STARTTLS; 421 to anything."""

    def __init__(self, step: str, heard: Heard) -> None:
        super().__init__(f"{step}: {heard}")
        self.step, self.heard = step, heard


class OutOfStep(NotSMTP):
    """The server says what nobody has asked."""


class Dialogue:
    """One conversation, step by step."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.step = "connect"
        """What is under way, for whoever has to say where it failed."""
        self.watch: Watch | None = None
        self.owed = 0
        """Replies that are still to come."""
        self.is_sound = True
        """Whether QUIT would be understood: not in the middle of a message, nor after the server broke off."""

    async def ask(self, step: str, line: str, within: float, *, secret: bool = False) -> Heard:
        await self.say(step, [line], within, secret=secret)
        return await self.hear(within)

    async def say(self, step: str, lines: Sequence[str], within: float, *, secret: bool = False) -> None:
        """Some commands in one packet, each of which is owed a reply."""
        self.step = step
        await self.in_step(within)
        self.channel.timeout = within
        octets = "".join(f"{line}\r\n" for line in lines).encode()
        if self.watch is not None:
            for line in lines:
                self.watch.said((without_secret(line) if secret else line).encode())
        self.channel.write(octets)
        self.owed += len(lines)
        await self.channel.drain()

    async def hear(self, within: float) -> Heard:
        """The next reply that is owed. Raises `Declined` for 421, whatever was asked."""
        try:
            heard = await hear(self.channel, within, None if self.watch is None else self.watch.heard)
        except ChannelError:
            self.is_sound = False
            raise
        self.owed -= 1
        if heard.code == SERVICE_CLOSES:
            self.is_sound = False
            raise Declined(self.step, heard)
        return heard

    def send(self, octets: bytes) -> None:
        """A piece of content."""
        if self.watch is not None:
            self.watch.sent(octets)
        self.channel.write(octets)

    def end_content(self, ending: bytes) -> None:
        """With the dot that ends it, and before it the end of its last line where that was missing."""
        if self.watch is not None:
            self.watch.sent(ending.removesuffix(b".\r\n"))
            self.watch.said(b".")
        self.channel.write(ending)

    def send_chunk(self, command: bytes, octets: bytes) -> None:
        """BDAT, with what it counts."""
        if self.watch is not None:
            self.watch.said(command)
            self.watch.sent(octets)
        self.channel.write(command + b"\r\n" + octets)

    async def in_step(self, within: float) -> None:
        """Nothing is there that nobody has asked for; a server that has closed meanwhile may have said so. Raises `OutOfStep`, `Declined`."""
        if self.owed or not self.channel.has_input:
            return
        heard = await self.hear(within)
        self.is_sound = False
        raise OutOfStep(f"a reply to nothing: {heard}")

    def check_open(self) -> None:
        """What is written to a connection that is closed goes nowhere. Raises `EndOfInput`."""
        if self.channel.closed:
            self.is_sound = False
            raise EndOfInput
