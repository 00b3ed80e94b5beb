"""Twisted's transport below a channel: the one place where sessions meet Deferred-land."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import (
    IAddress,
    IConsumer,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IOpenSSLContextFactory,
    IPushProducer,
    ITLSTransport,
)
from twisted.internet.protocol import Protocol, ServerFactory
from twisted.python.failure import Failure
from zope.interface import implementer

from mailhost.transport.channel import Channel, Peer
from mailhost.transport.limits import ConnectionLimit
from mailhost.transport.mistakes import TLS_BEGINS, ClientMistake, PlaintextForTLS, TLSInClear, handshake_failure

Conversation = Callable[[Channel], Awaitable[None]]

LINGER_SECONDS = 60.0
"""How long a peer may take to read the last words, or to end TLS for its part; then the connection is cut off."""


class Transport(ITLSTransport, IConsumer, IPushProducer):
    """What Twisted's TCP transports give."""


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class Connection(Protocol):
    """Carries octets between a Twisted transport and a channel, and keeps the task that talks."""

    transport: Transport
    factory: "ConversationFactory"

    def __init__(self) -> None:
        self.channel: Channel | None = None
        self._task: asyncio.Task[None] | None = None
        self._handshake: asyncio.Future[str] | None = None
        self._hello: asyncio.TimerHandle | None = None
        """Runs while the first octet of a ClientHello is waited for."""
        self._counted = ""
        self._cut_off: asyncio.TimerHandle | None = None

    # Twisted's side.

    def connectionMade(self) -> None:  # noqa: N802
        transport = self.transport
        transport.setTcpNoDelay(True)  # without it a response waits 40 ms for the peer's acknowledgement
        peer = _peer(transport.getPeer(), self.factory)
        if not self.factory.limit.enter(peer.address):
            transport.write(self.factory.too_many)
            transport.loseConnection()
            return
        self._counted = peer.address
        self.channel = Channel(self, peer, self.factory.timeout)
        if self.factory.implicit_tls:
            self._await_hello()
        else:
            self.channel.first_octets = lambda octets: TLSInClear(peer) if octets == TLS_BEGINS else None
            transport.registerProducer(self, True)
        self._task = asyncio.get_running_loop().create_task(self._talk(self.channel))
        self.factory.conversations[self._task] = self.channel
        self._task.add_done_callback(self.factory.conversations.pop)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        if self._hello is not None:
            self._first_octets(data)
        elif self.channel is not None:
            self.channel.received(data)

    def readConnectionLost(self) -> None:  # noqa: N802
        if self._hello is not None:
            self._stop_waiting()
            self._fail(ConnectionError("the peer has nothing to say"))
        if self.channel is not None:
            self.channel.ended()

    def writeConnectionLost(self) -> None:  # noqa: N802
        """We never close one direction alone."""

    def connectionLost(self, reason: Failure = ConnectionDone) -> None:  # type: ignore[assignment]  # noqa: N802
        """An end of input is read, not thrown: what came before is still answered. Only a reset cancels the conversation.

        Within TLS nobody can tell a reset from an end without close_notify, which many clients send: it counts as an end, for
        what has come whole was sent by the client itself, and no command is cut short into another.
        """
        if self._counted:
            self.factory.limit.leave(self._counted)
            self._counted = ""
        if self._cut_off is not None:
            self._cut_off.cancel()
        self._stop_waiting()
        self._fail(handshake_failure(reason.value))
        if self.channel is None or self._task is None:
            return
        self.channel.closed = True
        self.channel.go_on_writing()
        self.channel.ended()
        if self._handshake is None and not reason.check(ConnectionDone):
            self._task.cancel()

    def handshakeCompleted(self) -> None:  # noqa: N802
        if self._handshake is not None and not self._handshake.done():
            self._handshake.set_result(tls_facts(self.transport))

    def _await_hello(self) -> None:
        """TLS begins with the first octet, unless the client believes that this port speaks in clear."""
        loop = asyncio.get_running_loop()
        self._handshake = loop.create_future()
        self._hello = loop.call_later(self.factory.hello_timeout.total_seconds(), self._no_hello)

    def _first_octets(self, data: bytes) -> None:
        """TLS begins in this very turn: it is handed the octets that were looked at, and reads all that follow."""
        if not TLS_BEGINS.startswith(data[:1]):
            self._no_hello()
            return
        self._stop_waiting()
        self._begin_tls()
        self.transport.registerProducer(self, True)
        self.transport.protocol.dataReceived(data)  # type: ignore[attr-defined]  # the TLS layer, which no interface names

    def _no_hello(self) -> None:
        """The client talked in clear, or waits for a greeting in clear."""
        self._stop_waiting()
        assert self.channel is not None
        mistake = PlaintextForTLS(self.channel.peer)
        self.channel.give_up(mistake)
        self._fail(mistake)

    def _stop_waiting(self) -> None:
        if self._hello is not None:
            self._hello.cancel()
            self._hello = None

    def _fail(self, error: Exception) -> None:
        """There will be no TLS."""
        if self._handshake is not None and not self._handshake.done():
            self._handshake.set_exception(error)

    def _begin_tls(self) -> None:
        if self._handshake is None:
            self._handshake = asyncio.get_running_loop().create_future()
        self.transport.startTLS(self.factory.tls)  # type: ignore[arg-type]  # Twisted still takes a context factory

    async def _talk(self, channel: Channel) -> None:
        try:
            if self.factory.implicit_tls:
                await _handshaken(channel)
            await self.factory.conversation(channel)
        except (ConnectionError, TimeoutError):
            channel.abort()
        finally:
            channel.close()

    # The channel's side: a Wire.

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def pause(self) -> None:
        self.transport.pauseProducing()

    def resume(self) -> None:
        self.transport.resumeProducing()

    async def start_tls(self) -> str:
        if self._handshake is None:
            self.transport.unregisterProducer()
            self._begin_tls()
            self.transport.registerProducer(self, True)
        assert self._handshake is not None
        return await self._handshake

    def close(self) -> None:
        self.transport.unregisterProducer()  # or Twisted waits for it for ever
        # So does it for a peer that reads no more: without an end it would keep its memory, and its place in the limit.
        self._cut_off = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.abortConnection)
        self.transport.loseConnection()

    def abort(self) -> None:
        self.transport.unregisterProducer()
        self.transport.abortConnection()

    # The producer's side: Twisted says when its buffer is full.

    def pauseProducing(self) -> None:  # noqa: N802
        if self.channel is not None:
            self.channel.stop_writing()

    def resumeProducing(self) -> None:  # noqa: N802
        if self.channel is not None:
            self.channel.go_on_writing()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection ends: `connectionLost` follows."""


@dataclass(frozen=True, slots=True)
class Listening:
    """How one listener takes connections in."""

    name: str
    """As the settings call it: smtp, submission, imaps ..."""
    tls: IOpenSSLContextFactory
    implicit_tls: bool
    """TLS from the first octet (RFC 8314), or by command."""
    timeout: timedelta
    limit: ConnectionLimit
    hello_timeout: timedelta = timedelta(seconds=10)
    """How long the first octet of a ClientHello may take, where TLS begins with it."""
    twin: int = 0
    """The port that offers the same with TLS the other way; 0 where there is none."""


class ConversationFactory(ServerFactory):
    """Accepts connections of one listener, and starts a conversation on each."""

    protocol = Connection  # type: ignore[assignment]  # Twisted types its protocols by their factory
    noisy = False

    def __init__(self, conversation: Conversation, listening: Listening, too_many: bytes) -> None:
        """`too_many` is said, in clear only, to a connection beyond the limit."""
        self.conversation = conversation
        self.listener = listening.name
        self.tls = listening.tls
        self.implicit_tls = listening.implicit_tls
        self.timeout = listening.timeout
        self.limit = listening.limit
        self.hello_timeout = listening.hello_timeout
        self.twin = listening.twin
        self.too_many = b"" if listening.implicit_tls else too_many
        self.conversations: dict[asyncio.Task[None], Channel] = {}

    def take(self, other: "ConversationFactory") -> None:
        """New connections go by the settings of another factory of this listener; those that are open go on."""
        self.conversation, self.too_many = other.conversation, other.too_many
        self.timeout, self.hello_timeout = other.timeout, other.hello_timeout
        self.limit.change(other.limit)

    def cut_off(self) -> None:
        """Whoever is still under way ends now."""
        for task in self.conversations:
            task.cancel()

    async def end_conversations(self, grace: timedelta) -> None:
        """Those at rest end at once; those under way may finish for so long. What is in a commit ends whole in any case."""
        for channel in self.conversations.values():
            channel.end()
        if not self.conversations:
            return
        _, late = await asyncio.wait(list(self.conversations), timeout=grace.total_seconds())
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late)


async def _handshaken(channel: Channel) -> None:
    """What the client's settings do wrong is for the conversation to tell."""
    try:
        await channel.start_tls()
    except ClientMistake as mistake:
        channel.give_up(mistake)


def _peer(address: IAddress, factory: ConversationFactory) -> Peer:
    if isinstance(address, IPv4Address | IPv6Address):
        return Peer(address.host, address.port, factory.listener, twin=factory.twin)
    return Peer(str(address), 0, factory.listener, twin=factory.twin)


def tls_facts(transport: object) -> str:
    connection = transport.getHandle()  # type: ignore[attr-defined]  # a TLS transport's handle is pyOpenSSL's connection
    return f"{connection.get_protocol_version_name()} {connection.get_cipher_name()}"
