"""The far side of a relay: hosts that note each message whose end they have received, and each that they have said 250 for.

What becomes of a recipient is in the recipient's own name and in that of the message, so that a message sent again has the same fate.
"""

import asyncio
import random
import re
import ssl
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from tests.service import END_SECONDS

REFUSED_CONTENT = 11
"""One message in so many is refused behind its dot."""
FATES = ("ok", "ok", "ok", "ok", "ok", "ok", "later", "never")
"""What stands before the `+` of a recipient: taken, first asked to come again, refused."""
MOST_PAUSE = 0.02
"""Seconds between the dot and its reply."""


def address(fate: str, name: str, domain: str) -> str:
    """A recipient of its own for each message."""
    return f"{fate}+{name}@{domain}"


def is_taken(recipient: str) -> bool:
    """In the end."""
    fate, name = fate_and_name(recipient)
    return fate != "never" and not is_refused(name)


def is_refused(name: str) -> bool:
    return int(name.split("-")[-2]) % REFUSED_CONTENT == 0


def fate_and_name(recipient: str) -> tuple[str, str]:
    fate, _, name = recipient.rpartition("@")[0].partition("+")
    return fate, name


@dataclass
class Conversation:
    """One connection, and all that came whole over it."""

    life: int
    hello: str = ""
    """Who it was, as he said."""
    copies: list[tuple[tuple[str, ...], bytes]] = field(default_factory=list)
    """Recipients and content of each message that was, or was about to be, answered 250."""
    said: int = 0
    """How many of them were."""


class FarSide:
    """Some hosts with a port each, in a thread: the first one with TLS, if there is a certificate."""

    def __init__(self, seed: int, context: ssl.SSLContext | None = None) -> None:
        self.life = 0
        """Which life of the sender connections belong to from now on."""
        self.conversations: list[Conversation] = []
        self.asked: Counter[str] = Counter()
        self.reached = threading.Event()
        """Somebody stands where `hold` wants him."""
        self.hold = ""
        """Where the next conversation is kept waiting: "dot", "STARTTLS"."""
        self._loose = asyncio.Event()
        self._chance, self._context = random.Random(seed), context
        self._loop = asyncio.new_event_loop()
        self._under_way: set[asyncio.Task[None]] = set()

    @contextmanager
    def serving(self, hosts: int) -> Iterator[list[int]]:
        """Their ports."""
        thread = threading.Thread(target=self._loop.run_forever, name="far side")
        thread.start()
        try:
            yield asyncio.run_coroutine_threadsafe(self._listen(hosts), self._loop).result(END_SECONDS)
        finally:
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(END_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    async def _listen(self, hosts: int) -> list[int]:
        def serve(encrypts: bool) -> "asyncio.Future[asyncio.Server]":
            context = self._context if encrypts else None
            return asyncio.ensure_future(
                asyncio.start_server(lambda *ends: self._serve(context, *ends), "127.0.0.1", 0, limit=1 << 20)
            )

        self._servers = [await serve(encrypts=number == 0) for number in range(hosts)]
        return [each.sockets[0].getsockname()[1] for each in self._servers]

    async def _close(self) -> None:
        for each in self._servers:
            each.close()
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _serve(
        self, context: ssl.SSLContext | None, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        talk = Conversation(self.life)
        self.conversations.append(talk)
        with suppress(ConnectionError, asyncio.IncompleteReadError, ssl.SSLError):
            try:
                await self._talk(talk, context, reader, writer)
            finally:
                writer.close()

    async def _talk(
        self,
        talk: Conversation,
        context: ssl.SSLContext | None,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        recipients: list[str] = []
        writer.write(b"220 far.test\r\n")
        while line := (await reader.readuntil(b"\r\n")).decode().rstrip("\r\n"):
            verb = line.split()[0].upper()
            if verb == "STARTTLS":
                assert context is not None
                writer.write(b"220 go on\r\n")
                await self._may_hold(verb, reader)
                await writer.start_tls(context)
                context = None
            elif verb == "MAIL":
                recipients = []
                writer.write(b"250 2.1.0 OK\r\n")
            elif verb == "RCPT":
                recipient = line.split("<")[1].split(">")[0]
                reply = self._recipient(recipient)
                if reply.startswith("2"):
                    recipients.append(recipient)
                writer.write(f"{reply}\r\n".encode())
            elif verb == "DATA":
                if not recipients:
                    writer.write(b"554 5.5.1 nobody to take it for\r\n")
                    continue
                writer.write(b"354 go on\r\n")
                await self._take(talk, tuple(recipients), reader, writer)
            else:
                talk.hello = line.partition(" ")[2] if verb == "EHLO" else talk.hello
                offer = b"250-STARTTLS\r\n" if context is not None else b""
                usual = {"EHLO": b"250-far.test\r\n" + offer + b"250 PIPELINING\r\n", "QUIT": b"221 bye\r\n"}
                writer.write(usual.get(verb, b"250 2.0.0 OK\r\n"))

    def _recipient(self, recipient: str) -> str:
        fate, _ = fate_and_name(recipient)
        self.asked[recipient] += 1
        if fate == "never":
            return "550 5.1.1 no such user"
        if fate == "later" and self.asked[recipient] == 1:
            return "450 4.7.1 come again"
        return "250 2.1.5 OK"

    async def _take(
        self,
        talk: Conversation,
        recipients: tuple[str, ...],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        content = await _content(reader)
        if is_refused(fate_and_name(recipients[0])[1]):
            await self._pause()
            writer.write(b"554 5.7.1 not of this kind\r\n")
            return
        talk.copies.append((recipients, content))
        await self._may_hold("dot", reader)
        await self._pause()
        talk.said += 1
        writer.write(b"250 2.0.0 taken\r\n")

    async def _pause(self) -> None:
        await asyncio.sleep(self._chance.random() * MOST_PAUSE)

    def let_go(self) -> None:
        """Who is held may go on."""
        self._loop.call_soon_threadsafe(self._loose.set)

    async def _may_hold(self, where: str, reader: asyncio.StreamReader) -> None:
        """Until the other side is gone, or the test says so."""
        if self.hold == where:
            self.hold = ""
            self.reached.set()
            ends = [asyncio.ensure_future(each) for each in (reader.read(1), self._loose.wait())]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for each in ends:
                each.cancel()
            if not self._loose.is_set():
                raise ConnectionError


async def _content(reader: asyncio.StreamReader) -> bytes:
    """Without the stuffed dots, and without the final one."""
    lines = []
    while (line := await reader.readuntil(b"\r\n")) != b".\r\n":
        lines.append(line.removeprefix(b"."))
    return b"".join(lines)


_RECEIVED = re.compile(rb"Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*")


def as_submitted(content: bytes) -> bytes:
    """Without the one field that the sender's server puts before it."""
    field_ = _RECEIVED.match(content)
    assert field_ is not None, content[:500]
    return content[field_.end() :]
