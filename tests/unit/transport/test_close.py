"""A connection that was closed ends, whether or not its peer plays along."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.python.failure import Failure

from mailhost.transport import connection
from mailhost.transport.channel import Channel
from mailhost.transport.connection import Connection, ConversationFactory, Listening
from mailhost.transport.limits import ConnectionLimit


class DeafPeer:
    """A Twisted transport that waits for its peer for ever: nothing but an abort ends it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.aborted = asyncio.Event()

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", "192.0.2.1", 40000)

    def abortConnection(self) -> None:
        self.aborted.set()

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: self.asked.append(name)


class PolitePeer(DeafPeer):
    """Ends its part at once."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = Connection()

    def loseConnection(self) -> None:
        self.connection.connectionLost(Failure(ConnectionDone()))


async def close(one: Connection, peer: DeafPeer) -> None:
    """A connection whose conversation has ended, so that our side is closed."""

    async def talk(channel: Channel) -> None:
        channel.write(b"bye")

    listening = Listening("pop3", object(), False, timedelta(seconds=5), ConnectionLimit(1, 1))  # type: ignore[arg-type]  # nobody looks into the TLS
    factory = ConversationFactory(talk, listening, b"")
    one.factory = factory
    one.transport = peer  # type: ignore[assignment]
    one.connectionMade()
    await asyncio.wait(list(factory.conversations))


def test_a_peer_that_never_reads_the_last_words_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setattr(connection, "LINGER_SECONDS", 0.0)
        peer = DeafPeer()
        await close(Connection(), peer)
        await asyncio.wait_for(peer.aborted.wait(), 30)

    asyncio.run(run())


def test_who_ends_the_connection_is_not_cut_off_later(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        monkeypatch.setattr(connection, "LINGER_SECONDS", 0.0)
        peer = PolitePeer()
        await close(peer.connection, peer)
        for _ in range(5):
            await asyncio.sleep(0)
        assert not peer.aborted.is_set()

    asyncio.run(run())
