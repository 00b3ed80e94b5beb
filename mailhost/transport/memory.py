"""A wire in memory: tests play both sides of a conversation without a socket."""

import asyncio
from datetime import timedelta

from mailhost.transport.channel import Channel, Peer


class MemoryWire:
    """Keeps what the server wrote; `said` wakes whoever waits for it."""

    def __init__(self, listener: str = "test", timeout: timedelta = timedelta(seconds=5)) -> None:
        self.channel = Channel(self, Peer("192.0.2.1", 40000, listener), timeout)
        self.output = bytearray()
        self.closed = False
        self.tls_started = 0
        self._said = asyncio.Event()

    def write(self, data: bytes) -> None:
        self.output += data
        self._said.set()

    def pause(self) -> None:
        """Input is already in memory."""

    def resume(self) -> None:
        """Input is already in memory."""

    async def start_tls(self) -> str:
        self.tls_started += 1
        return "TLSv1.3 in memory"

    def close(self) -> None:
        self.closed = True
        self._said.set()

    def abort(self) -> None:
        self.close()

    # The client's side.

    def client_says(self, data: bytes) -> None:
        self.channel.received(data)

    def client_ends(self) -> None:
        self.channel.ended()

    async def server_says(self, ending: bytes) -> bytes:
        """Wait for output that ends with `ending`, or for the close; take it all."""
        while not self.output.endswith(ending) and not self.closed:
            self._said.clear()
            await self._said.wait()
        said = bytes(self.output)
        self.output.clear()
        return said
