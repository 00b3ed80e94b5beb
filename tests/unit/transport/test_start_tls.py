"""TLS begins before the loop turns: what the client sends next is its ClientHello, never a line."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from twisted.internet.address import IPv4Address

from mailhost.transport.channel import Channel
from mailhost.transport.connection import Connection, ConversationFactory, Listening
from mailhost.transport.limits import ConnectionLimit
from mailhost.transport.memory import MemoryWire


class Recorder:
    """A Twisted transport that says in which order it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.handed: list[bytes] = []

    @property
    def protocol(self) -> "Recorder":
        """Once TLS has begun: its layer, to which what was looked at is handed."""
        return self

    def dataReceived(self, data: bytes) -> None:
        self.handed.append(data)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 40000)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self.asked.append(name)


def test_starttls_reaches_the_wire_without_giving_up_the_turn() -> None:
    async def run() -> None:
        wire = MemoryWire()
        seen: list[int] = []
        task = asyncio.create_task(wire.channel.start_tls())
        asyncio.get_running_loop().call_soon(lambda: seen.append(wire.tls_started))
        await task
        assert seen == [1]
        assert wire.channel.peer.tls

    asyncio.run(run())


def test_tls_from_the_start_begins_in_the_turn_of_its_first_octet_which_is_not_lost() -> None:
    async def talk(_: Channel) -> None:
        raise AssertionError("there is no handshake")

    async def run() -> None:
        listening = Listening("pop3s", object(), True, timedelta(seconds=5), ConnectionLimit(1, 1))  # type: ignore[arg-type]  # nobody looks into the TLS
        factory = ConversationFactory(talk, listening, b"")
        connection = Connection()
        connection.factory = factory
        recorder = Recorder()
        connection.transport = recorder  # type: ignore[assignment]
        connection.connectionMade()
        assert recorder.asked == ["setTcpNoDelay"]
        connection.dataReceived(b"\x16")
        assert recorder.asked == ["setTcpNoDelay", "startTLS", "registerProducer"]
        assert recorder.handed == [b"\x16"]
        (task,) = factory.conversations
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(run())
