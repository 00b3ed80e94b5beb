"""Connections that we make: Twisted's transport below a channel, as `connection` has it for those that come to us."""

import asyncio
import os
from contextlib import suppress
from datetime import timedelta

from OpenSSL import SSL
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IPushProducer,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import CertificateOptions, TLSVersion, optionsForClientTLS
from twisted.python.failure import Failure
from zope.interface import implementer

from mailhost.transport.channel import Channel, Peer
from mailhost.transport.connection import LINGER_SECONDS, Transport, tls_facts


class Unreachable(ConnectionError):
    """No connection: refused, no route, or nobody answered in time; the text says which."""


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class Outgoing(Protocol):
    """Carries octets between a Twisted transport and the channel of a client."""

    transport: Transport

    def __init__(self, peer: Peer, timeout: timedelta) -> None:
        self.channel = Channel(self, peer, timeout)
        self.tls: IOpenSSLClientConnectionCreator | None = None
        """Who is expected on the other side; set before `start_tls`."""
        self._handshake: asyncio.Future[str] | None = None
        self._cut_off: asyncio.TimerHandle | None = None

    # Twisted's side.

    def connectionMade(self) -> None:  # noqa: N802
        self.transport.setTcpNoDelay(True)
        self.transport.registerProducer(self, True)

    def dataReceived(self, data: bytes) -> None:  # noqa: N802
        self.channel.received(data)

    def readConnectionLost(self) -> None:  # noqa: N802
        self.channel.ended()

    def writeConnectionLost(self) -> None:  # noqa: N802
        """We never close one direction alone."""

    def connectionLost(self, reason: Failure = ConnectionDone) -> None:  # type: ignore[assignment]  # noqa: N802
        if self._cut_off is not None:
            self._cut_off.cancel()
        if self._handshake is not None and not self._handshake.done():
            self._handshake.set_exception(ConnectionError(f"TLS failed: {_said(reason.value)}"))
        self.channel.closed = True
        self.channel.go_on_writing()
        self.channel.ended()

    def handshakeCompleted(self) -> None:  # noqa: N802
        if self._handshake is not None and not self._handshake.done():
            self._handshake.set_result(tls_facts(self.transport))

    # The channel's side: a Wire.

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def pause(self) -> None:
        self.transport.pauseProducing()

    def resume(self) -> None:
        self.transport.resumeProducing()

    async def start_tls(self) -> str:
        assert self.tls is not None
        self._handshake = asyncio.get_running_loop().create_future()
        self.transport.unregisterProducer()
        self.transport.startTLS(self.tls)
        self.transport.registerProducer(self, True)
        return await self._handshake

    def close(self) -> None:
        self.transport.unregisterProducer()
        self._cut_off = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.abortConnection)
        self.transport.loseConnection()

    def abort(self) -> None:
        self.transport.unregisterProducer()
        self.transport.abortConnection()

    # The producer's side.

    def pauseProducing(self) -> None:  # noqa: N802
        self.channel.stop_writing()

    def resumeProducing(self) -> None:  # noqa: N802
        self.channel.go_on_writing()

    def stopProducing(self) -> None:  # noqa: N802
        """The connection ends: `connectionLost` follows."""


class _One(Factory):
    """For the one connection of a `dial`."""

    noisy = False

    def __init__(self, outgoing: Outgoing) -> None:
        self._outgoing = outgoing

    def buildProtocol(self, addr: object) -> Outgoing:  # noqa: ARG002, N802 - Twisted's signature
        return self._outgoing


async def dial(address: str, port: int, *, within: timedelta, silence: timedelta, source: str = "") -> Outgoing:
    """Connect to an IP address `within` a time; `silence` is the deadline of the channel's waits. Raises `Unreachable`."""
    from twisted.internet import reactor

    outgoing = Outgoing(Peer(address, port, "relay"), silence)
    endpoint = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
    bind = (source, 0) if source else None
    seconds = within.total_seconds()
    making = endpoint(reactor, address, port, timeout=seconds, bindAddress=bind).connect(_One(outgoing))
    try:
        await making.asFuture(asyncio.get_running_loop())
    except ConnectError as problem:
        raise Unreachable(_said(problem)) from None
    except asyncio.CancelledError:
        with suppress(Exception):
            making.cancel()
        raise
    return outgoing


@implementer(IOpenSSLClientConnectionCreator)
class OpportunisticTLS:
    """TLS with whoever is there: against those who only listen (RFC 7435). The name is told, the certificate is not checked."""

    def __init__(self, host: str) -> None:
        self._host = host.encode("ascii", "ignore")
        self._context = CertificateOptions(verify=False, raiseMinimumTo=TLSVersion.TLSv1_2).getContext()

    def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:  # noqa: ARG002, N802 - Twisted's signature
        connection = SSL.Connection(self._context, None)
        if self._host and not self._host.replace(b".", b"").isdigit() and b":" not in self._host:
            connection.set_tlsext_host_name(self._host)
        connection.set_connect_state()
        return connection


def verified_tls(host: str) -> IOpenSSLClientConnectionCreator:
    """TLS with the host of this name and no other, by the system's authorities."""
    creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(host)
    return creator


def _said(problem: BaseException | None) -> str:
    number = getattr(getattr(problem, "osError", None), "errno", None)
    if number is not None:
        return os.strerror(number)
    return str(problem).strip().rstrip(".") or type(problem).__name__
