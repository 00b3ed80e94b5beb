"""Hosts on loopback that are well up to one step of the dialogue, and evil there."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from tests.relay.hosts import Host

Act = Callable[["Evil", asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
PATIENCE = 20.0
"""Seconds after which the host itself gives up; our relay must have gone long before."""
MOST_WRITTEN = 64 << 20


@dataclass
class Evil(Host):
    """`step` is a verb, "greeting", "content" (what answers in the middle of it) or "dot"."""

    step: str = ""
    act: Act | None = None
    written: int = 0
    """Octets that an endless answer has got rid of."""
    was_left: bool = True
    """Whether the client went away by itself, whatever we did."""
    met: int = 0
    """How often the step was reached."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(PATIENCE):
                await super().serve(reader, writer)
        except TimeoutError:
            self.was_left = False

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.step == "greeting":
            await self._meet(reader, writer)
        else:
            self._say(writer, self.greeting)
        extensions = self.extensions
        while line := (await reader.readline()).decode("latin-1").rstrip("\r\n"):
            self.heard.append(line)
            verb = line.split()[0].upper()
            if verb == self.step:
                await self._meet(reader, writer)
                continue
            if verb == "BDAT":
                await reader.readexactly(int(line.split()[1]))
            self._say(writer, reply := self.replies.get(verb, self._usual(verb, extensions)))
            if verb == "BDAT" and reply.startswith("250"):
                self.contents.append(b"chunks")
            if verb == "DATA" and reply.startswith("354"):
                if self.step == "content":
                    await self._meet(reader, writer)
                    continue
                content = await self.content(reader)
                if self.step == "dot":
                    await self._meet(reader, writer)
                    continue
                self.contents.append(content)
                self._say(writer, "250 2.0.0 taken")
            if verb == "QUIT":
                return

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.met += 1
        assert self.act is not None
        with suppress(ConnectionError, OSError):
            await self.act(self, reader, writer)


def saying(octets: bytes) -> Act:
    """Then it goes on as if it were well."""

    async def act(_: Evil, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(octets)

    return act


async def silence(_: Evil, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1 << 16):
        pass


async def close(_: Evil, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def close_in_a_line(_: Evil, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"250 almo")
    writer.close()


async def reset(_: Evil, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """RST, and no end of input."""
    one = writer.get_extra_info("socket")
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def endless_line(host: Evil, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"250 ")
    await _endless(host, writer, b"x" * 65_536)


async def endless_reply(host: Evil, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _endless(host, writer, b"250-and so on\r\n" * 4_096)


async def _endless(host: Evil, writer: asyncio.StreamWriter, piece: bytes) -> None:
    while host.written < MOST_WRITTEN:
        writer.write(piece)
        await writer.drain()
        host.written += len(piece)


async def trickle(_: Evil, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An octet now and then, so that no single wait is long."""
    while True:
        writer.write(b"2")
        await writer.drain()
        await asyncio.sleep(0.05)


EVILS: dict[str, Act] = {
    "4yz": saying(b"451 4.3.0 not now\r\n"),
    "5yz": saying(b"550 5.7.1 never\r\n"),
    "521": saying(b"521 5.3.2 no mail here\r\n"),
    "421": saying(b"421 4.3.2 bye\r\n"),
    "garbage": saying(bytes(each for each in range(256) if each not in b"\r\n") + b"\r\n"),
    "no code": saying(b"OK\r\n"),
    "two codes": saying(b"250-yes\r\n550 no\r\n"),
    "HTTP": saying(b"HTTP/1.1 400 Bad Request\r\nServer: x\r\n\r\n"),
    "endless line": endless_line,
    "endless reply": endless_reply,
    "silence": silence,
    "close": close,
    "close in a line": close_in_a_line,
    "reset": reset,
    "trickle": trickle,
}
