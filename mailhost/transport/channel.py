"""The channel: all that a session knows of the network. Lines in, octets out, every wait with a deadline.

Two transports lie below it: Twisted's (`connection`) and one in memory for tests (`memory`). The buffer, the limits and the
deadlines are here, once.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol

HIGH_WATER = 256 << 10
"""Octets of unread input at which the peer is told to wait."""
LOW_WATER = 64 << 10
HANDSHAKE_SECONDS = 60.0
HEAD_OCTETS, TAIL_OCTETS = 300, 40
SENT_TOGETHER = 64 << 10
"""Octets of output that wait for each other at most."""


class ChannelError(Exception):
    """The conversation cannot go on."""


class EndOfInput(ChannelError):
    """The peer has said all it had to say; what came before was still answered."""


class TimedOut(ChannelError):
    """The peer was silent, or did not read, beyond its deadline."""


class Dismissed(ChannelError):
    """The server ends the conversation, and the peer was asking for nothing."""

    def __init__(self, cause: str) -> None:
        super().__init__(cause)
        self.cause = cause
        """What `Session.farewell` takes: "shutdown" or "account"."""


class LineTooLong(ChannelError):
    """A line beyond its limit; it was skipped to its end, and the conversation may go on."""

    def __init__(self, head: bytes, tail: bytes) -> None:
        super().__init__("the line is too long")
        self.head = head
        """Its first octets: in IMAP they have its tag."""
        self.tail = tail
        """Its last octets: IMAP announces there that more belongs to it."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Facts of the connection."""

    address: str
    port: int
    listener: str
    """The name of the listener in the settings: smtp, submission, imaps ..."""
    tls: str = ""
    """The TLS version and cipher, or nothing in clear."""
    twin: int = 0
    """The port where the same is offered with TLS the other way (by command, or from the first octet); 0 where there is none."""


class Wire(Protocol):
    """The transport below a channel."""

    def write(self, data: bytes) -> None: ...
    def pause(self) -> None:
        """Deliver no input until `resume`."""

    def resume(self) -> None: ...
    async def start_tls(self) -> str:
        """Handshake as the server; answers with version and cipher."""
        ...

    def close(self) -> None:
        """Send what is written, then end the connection."""

    def abort(self) -> None: ...


class Channel:
    """One connection, as its session sees it."""

    __slots__ = (
        "_arrived",
        "_ended",
        "_expires",
        "_input",
        "_loop",
        "_mistake",
        "_output",
        "_output_octets",
        "_paused",
        "_scanned",
        "_timer",
        "_wire",
        "_writable",
        "at_rest",
        "closed",
        "ending",
        "first_octets",
        "peer",
        "timeout",
    )

    def __init__(self, wire: Wire, peer: Peer, timeout: timedelta) -> None:
        self.peer = peer
        self.timeout = timeout.total_seconds()
        """Seconds that one wait for input, or for the peer to read, may last."""
        self.closed = False
        self.at_rest = False
        """Whether the session waits for a command: it can be ended without loss."""
        self.ending = ""
        """Why the conversation is to end, once it is."""
        self.first_octets: Callable[[bytes], ChannelError | None] | None = None
        """Looks at the first two octets of the peer; what it finds wrong ends the conversation, and they are no command."""
        self._mistake: ChannelError | None = None
        self._wire = wire
        self._input = bytearray()
        self._output: list[bytes] = []
        self._output_octets = 0
        self._scanned = 0
        self._arrived: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._ended = False
        self._paused = False
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._expires = 0.0

    # What a session does.

    async def read_line(self, limit: int, *, skip: bool = True) -> bytes:
        """A line without its end, which is CRLF, or LF alone where a person types.

        Raises `LineTooLong` beyond `limit` octets (the line is skipped, unless the conversation is over then), `EndOfInput`,
        `TimedOut`: the deadline is the whole line's, so that an octet now and then does not hold a connection for ever.
        """
        until = None
        while (end := self._input.find(b"\n", self._scanned)) < 0:
            self._scanned = len(self._input)
            until = until or self._loop.time() + self.timeout
            if self._scanned > limit + 2:
                head = bytes(self._input[:HEAD_OCTETS])
                raise LineTooLong(head, await self._skip_line(until) if skip else b"")
            await self._more(until)
        line = bytes(self._input[:end])
        self._take(end + 1)
        if line.endswith(b"\r"):
            line = line[:-1]
        if len(line) > limit:
            raise LineTooLong(line[:HEAD_OCTETS], line[-TAIL_OCTETS:])
        return line

    async def read_exactly(self, octets: int) -> bytes:
        """So many octets, whatever they are: a literal, or a chunk of BDAT. The caller has checked its limit."""
        while len(self._input) < octets:
            await self._more()
        data = bytes(self._input[:octets])
        self._take(octets)
        return data

    async def read_chunk(self, most: int = 64 << 10) -> bytes:
        """What has arrived, at least one octet and `most` at most."""
        while not self._input:
            await self._more()
        data = bytes(self._input[:most])
        self._take(len(data))
        return data

    def check(self) -> None:
        """Raises what was found wrong with the peer, before anything is said to it."""
        if self._mistake is not None:
            raise self._mistake

    def unread(self, data: bytes) -> None:
        """Give back what followed the end of a message: it is the next command."""
        self._input[:0] = data
        self._scanned = 0

    @property
    def has_input(self) -> bool:
        """Whether the peer has sent something that is not read yet."""
        return bool(self._input)

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes of it: the peer has ended it, or we have."""
        return self.closed or self._ended

    @property
    def is_full(self) -> bool:
        """Whether the peer reads more slowly than the session writes: it is time to `drain`."""
        return self._writable is not None

    def write(self, data: bytes) -> None:
        """Send some octets: at once while the session waits for its peer, else together with what follows.

        So the replies to pipelined commands share a packet (RFC 2920 section 3.2).
        """
        if self.closed:
            return
        self._output.append(data)
        self._output_octets += len(data)
        if self._arrived is not None or self._output_octets > SENT_TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Hand what is written to the transport."""
        if self._output:
            data = self._output[0] if len(self._output) == 1 else b"".join(self._output)
            self._output.clear()
            self._output_octets = 0
            self._wire.write(data)

    async def drain(self) -> None:
        """Send what is written, and wait until the peer reads again. Raises `TimedOut` when it does not."""
        self.flush()
        if self._writable is not None:
            await self._wait(self._writable)

    async def start_tls(self) -> None:
        """Go on inside TLS. The session has made sure that nothing was sent ahead (RFC 3207 section 5)."""
        self.flush()
        self._input.clear()
        self._scanned = 0
        # Not wait_for, which gives up the turn: the ClientHello could be read as a line.
        async with asyncio.timeout(min(self.timeout, HANDSHAKE_SECONDS)):
            tls = await self._wire.start_tls()
        self.peer = replace(self.peer, tls=tls)

    def close(self) -> None:
        if not self.closed:
            self.flush()
            self.closed = True
            self._stop_timer()
            self._wire.close()

    def abort(self) -> None:
        if not self.closed:
            self.closed = True
            self._stop_timer()
            self._wire.abort()

    def end(self, cause: str = "shutdown") -> None:
        """The conversation ends: at once for a session at rest, else when it asks for its next command (`Dismissed`)."""
        self.ending = cause
        if self.at_rest and self._arrived is not None and not self._arrived.done():
            self._arrived.set_exception(Dismissed(cause))

    # What the transport tells.

    def received(self, data: bytes) -> None:
        if self._mistake is not None:
            return
        self._input += data
        if self.first_octets is not None and len(self._input) > 1:
            look, self.first_octets = self.first_octets, None
            if (mistake := look(bytes(self._input[:2]))) is not None:
                self.give_up(mistake)
                return
        if len(self._input) > HIGH_WATER and not self._paused:
            self._paused = True
            self._wire.pause()
        self._wake(self._arrived)

    def give_up(self, mistake: ChannelError) -> None:
        """Nothing more is read: whoever reads, now or later, hears why."""
        self._mistake = mistake
        self._input.clear()
        self._scanned = 0
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_exception(mistake)

    def ended(self) -> None:
        """The peer sends no more."""
        self._ended = True
        self._wake(self._arrived)
        self._wake(self._writable)

    def stop_writing(self) -> None:
        if self._writable is None:
            self._writable = self._loop.create_future()

    def go_on_writing(self) -> None:
        self._wake(self._writable)
        self._writable = None

    # Below.

    async def _more(self, until: float | None = None) -> None:
        self.flush()
        self.check()
        if self._ended:
            raise EndOfInput
        if self.ending and self.at_rest:
            raise Dismissed(self.ending)
        if self._paused:
            self._paused = False
            self._wire.resume()
        self._arrived = self._loop.create_future()
        try:
            await self._wait(self._arrived, until)
        finally:
            self._arrived = None

    async def _skip_line(self, until: float) -> bytes:
        """Answers with its last octets."""
        tail = b""
        while (end := self._input.find(b"\n")) < 0:
            tail = (tail + self._input[-TAIL_OCTETS:])[-TAIL_OCTETS:]
            self._take(len(self._input))
            await self._more(until)
        tail = tail + bytes(self._input[max(end - TAIL_OCTETS, 0) : end])
        self._take(end + 1)
        return tail[-TAIL_OCTETS:].removesuffix(b"\r")

    def _take(self, octets: int) -> None:
        del self._input[:octets]
        self._scanned = 0
        if self._paused and len(self._input) < LOW_WATER:
            self._paused = False
            self._wire.resume()

    async def _wait(self, event: asyncio.Future[None], until: float | None = None) -> None:
        """One timer a connection, moved only when it fires: a wait costs no timer of its own."""
        self._expires = until or self._loop.time() + self.timeout
        if self._timer is None:
            self._timer = self._loop.call_at(self._expires, self._time_is_up)
        elif self._timer.when() > self._expires:
            self._timer.cancel()
            self._timer = self._loop.call_at(self._expires, self._time_is_up)
        await event

    def _time_is_up(self) -> None:
        self._timer = None
        waiting = [event for event in (self._arrived, self._writable) if event is not None and not event.done()]
        if not waiting:
            return
        if self._loop.time() < self._expires:
            self._timer = self._loop.call_at(self._expires, self._time_is_up)
            return
        for event in waiting:
            event.set_exception(TimedOut())

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    @staticmethod
    def _wake(event: asyncio.Future[None] | None) -> None:
        if event is not None and not event.done():
            event.set_result(None)
