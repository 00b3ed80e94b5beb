"""Hosts on loopback that our relay connects to by real sockets: as good, or as odd, as a test wants them."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import twisted.internet
from pytest import MonkeyPatch

from mailhost.cli.authority import Folder, ensure
from mailhost.transport.reactor import Reactor


@asynccontextmanager
async def twisted_here() -> AsyncIterator[None]:
    """Twisted's reactor on the loop that runs, for as long as a test takes: `transport.dial` asks for it by its name."""
    loop = asyncio.get_running_loop()
    reactor = Reactor(loop)
    with MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "twisted.internet.reactor", reactor)
        patch.setattr(twisted.internet, "reactor", reactor, raising=False)
        try:
            yield
        finally:
            for _ in range(10):  # what was closed just now is taken down in turns that follow
                await asyncio.sleep(0)
            reactor.removeAll()  # type: ignore[no-untyped-call]  # Twisted's own
            for each in list(reactor._internalReaders):
                reactor.removeReader(each)  # type: ignore[no-untyped-call]  # Twisted's own
                with suppress(Exception):
                    each.connectionLost(None)


@dataclass
class Host:
    """An SMTP server that says what the test wants, and keeps what it heard."""

    extensions: list[str] = field(default_factory=lambda: ["PIPELINING", "8BITMIME"])
    in_tls: list[str] | None = None
    """What it announces inside TLS, if that is something else."""
    replies: dict[str, str] = field(default_factory=dict)
    """By verb, in place of the usual one; "close" hangs up."""
    greeting: str = "220 host.test"
    context: ssl.SSLContext | None = None
    implicit_tls: bool = False
    handshake: bytes | None = None
    """What it says in place of a TLS handshake."""
    heard: list[str] = field(default_factory=list)
    contents: list[bytes] = field(default_factory=list)
    connections: int = 0
    lmtp: list[str] = field(default_factory=list)
    """The answers after the dot, one for each recipient, where it speaks LMTP."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            try:
                await self._talk(reader, writer)
            finally:
                writer.close()
                await writer.wait_closed()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        extensions = self.extensions
        self._say(writer, self.greeting)
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            self.heard.append(line)
            verb = line.split()[0].upper()
            reply = self.replies.get(verb, self._usual(verb, extensions))
            if reply == "close":
                return
            self._say(writer, reply)
            if verb == "STARTTLS" and reply.startswith("220"):
                if self.handshake is not None:
                    await self.answered(reader)
                    writer.write(self.handshake)
                    return
                assert self.context is not None
                await writer.start_tls(self.context)
                extensions = self.in_tls if self.in_tls is not None else extensions
            if verb == "DATA" and reply.startswith("354"):
                self.contents.append(await self.content(reader))
                for answer in self.lmtp or [self.replies.get("dot", "250 2.0.0 taken")]:
                    self._say(writer, answer)
            if verb == "QUIT":
                return

    async def content(self, reader: asyncio.StreamReader) -> bytes:
        """What comes after DATA, its final dot included."""
        taken = bytearray()
        while not taken.endswith(b"\r\n.\r\n"):
            if not (piece := await reader.read(1 << 16)):
                raise ConnectionError
            taken += piece
        return bytes(taken)

    async def answered(self, reader: asyncio.StreamReader) -> None:
        """The client begins TLS: what came before, with the reply, would be an injection."""
        await reader.read(1)

    def _usual(self, verb: str, extensions: list[str]) -> str:
        if verb in ("EHLO", "LHLO"):
            return "\r\n".join(["250-host.test", *(f"250-{each}" for each in extensions), "250 HELP"])
        return {"STARTTLS": "220 go", "DATA": "354 go", "QUIT": "221 bye", "AUTH": "235 in"}.get(verb, "250 2.1.0 ok")

    def _say(self, writer: asyncio.StreamWriter, reply: str) -> None:
        writer.write(f"{reply}\r\n".encode())


@asynccontextmanager
async def serving(host: Host, path: str = "") -> AsyncIterator[int]:
    """The port that it has; 0 for a Unix socket."""
    if path:
        server = await asyncio.start_unix_server(host.serve, path)
    else:
        context = host.context if host.implicit_tls else None
        server = await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield 0 if path else server.sockets[0].getsockname()[1]
        server.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 2)


def certificates(folder: Path, *names: str) -> tuple[Folder, ssl.SSLContext]:
    """A private authority's, and what a server of these names needs."""
    made = Folder(folder)
    ensure(made, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    return made, context
