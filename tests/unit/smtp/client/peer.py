"""A server that follows a script, against which our client is played: the transcripts' notation, the other way round.

S: 220 here                 what the peer says; lines that follow each other come in one packet
C: EHLO me.test             what the client must say, to the letter; `...` at the end is any text
TLS                         the client has begun TLS
close                       the peer hangs up
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum
from itertools import groupby
from typing import TypeVar

from mailhost.message.form import Form
from mailhost.smtp.client.client import Client
from mailhost.smtp.client.dialogue import Timeouts
from mailhost.smtp.client.outgoing import Outgoing, To
from mailhost.transport.memory import MemoryWire

T = TypeVar("T")
PATIENCE = 10.0
QUICK = Timeouts(greeting=5, command=5, data=5, block=5, end=5, message=20)


class Way(Enum):
    """How the peer's octets arrive."""

    PACKETS = "lines together"
    OCTETS = "byte by byte"


@dataclass(frozen=True, slots=True)
class Text:
    """A content in memory."""

    octets_: bytes
    requires: Form = Form.PLAIN
    plain: bytes = b""
    """What it becomes where something is left out."""
    cut: int = 7

    @property
    def octets(self) -> int:
        return len(self.octets_)

    async def pieces(self) -> AsyncIterator[bytes]:
        for at in range(0, len(self.octets_), self.cut):
            yield self.octets_[at : at + self.cut]

    async def without(self, form: Form) -> "Text":
        return replace(self, octets_=self.plain or self.octets_, requires=self.requires & ~form)


def message(
    *paths: str, text: bytes = b"Subject: x\r\n\r\n.dot\r\n", requires: Form = Form.PLAIN, plain: bytes = b""
) -> Outgoing:
    recipients = [To(path) for path in paths or ("bob@blue.test",)]
    return Outgoing("alice@red.test", recipients, Text(text, requires, plain))


class Peer:
    def __init__(self, wire: MemoryWire, script: str, way: Way) -> None:
        self._wire, self._way = wire, way
        self._steps = [line.strip() for line in script.strip().splitlines() if line.strip()]

    async def run(self) -> None:
        for kind, lines in groupby(self._steps, key=lambda line: line[:2]):
            if kind == "S:":
                await self._say("".join(f"{line[3:]}\r\n" for line in lines).encode())
                continue
            for line in lines:
                await self._do(line)
        assert self._wire.output == b"", bytes(self._wire.output)

    async def _do(self, line: str) -> None:
        if line.startswith("C:"):
            said = await self._line()
            wanted = line[3:]
            if wanted.endswith("..."):
                assert said.startswith(wanted[:-3]), (said, wanted)
            else:
                assert said == wanted
        elif line == "TLS":
            while not self._wire.tls_started:
                await asyncio.sleep(0)
        elif line == "close":
            hang_up(self._wire)
        else:
            raise ValueError(line)

    async def _say(self, octets: bytes) -> None:
        if self._way is Way.PACKETS:
            self._wire.client_says(octets)
            return
        for octet in octets:
            self._wire.client_says(bytes([octet]))
            await asyncio.sleep(0)

    async def _line(self) -> str:
        while (end := self._wire.output.find(b"\r\n")) < 0:
            assert not self._wire.closed, f"hung up, having said {bytes(self._wire.output)!r}"
            await asyncio.sleep(0)
        line = bytes(self._wire.output[:end])
        del self._wire.output[: end + 2]
        return line.decode()


def hang_up(wire: MemoryWire) -> None:
    """As a lost connection reaches a channel."""
    wire.channel.closed = True
    wire.channel.go_on_writing()
    wire.client_ends()


async def play(
    script: str,
    act: Callable[[Client], Awaitable[T]],
    *,
    way: Way = Way.PACKETS,
    timeouts: Timeouts = QUICK,
    lmtp: bool = False,
    extended: bool = True,
) -> T:
    """What `act` comes to, while the peer follows its script to the end."""
    wire = MemoryWire("relay", timedelta(seconds=5))
    client = Client(wire.channel, "me.test", timeouts, lmtp=lmtp, extended=extended)
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as both:
        both.create_task(Peer(wire, script, way).run())
        acting = both.create_task(_act(act, client))
    result = acting.result()
    if isinstance(result, BaseException):
        raise result
    return result


async def _act(act: Callable[[Client], Awaitable[T]], client: Client) -> T | Exception:
    """A problem of the client is not one of the peer, whose script goes on."""
    try:
        return await act(client)
    except Exception as problem:
        return problem


async def greet_and_send(client: Client, outgoing: Outgoing) -> Sequence[object]:
    """The answers, in short: code or status for each recipient, None where there was none; then what broke it off."""
    await client.greet()
    sent = await client.send(outgoing)
    codes = [getattr(each, "code", getattr(each, "status", None)) for each in sent.answers]
    return [*codes, type(sent.broken).__name__] if sent.broken else codes
