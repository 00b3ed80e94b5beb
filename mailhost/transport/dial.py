"""Connections that we make: Twisted's transport below a channel, as `connection` has it for those that come to us."""

import asyncio
import ipaddress
import os
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from pathlib import Path

from OpenSSL import SSL
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint, UNIXClientEndpoint
from twisted.internet.error import ConnectError, ConnectionDone, TCPTimedOutError
from twisted.internet.error import ConnectionRefusedError as ConnectRefused
from twisted.internet.error import TimeoutError as ConnectTimedOut
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IPushProducer,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.ssl import (
    Certificate,
    CertificateOptions,
    TLSVersion,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from mailhost.transport.channel import Channel, Peer
from mailhost.transport.connection import LINGER_SECONDS, Transport, tls_facts


class Unreachable(ConnectionError):
    """No connection: refused, no route, or nobody answered in time; the text says which."""

    def __init__(self, text: str, *, timed_out: bool = False, refused: bool = False) -> None:
        super().__init__(text)
        self.refused = refused
        """Somebody is there, and said no."""
        self.timed_out = timed_out
        """Nobody said no: the packets went nowhere, as they do where a network blocks the port."""


@implementer(IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class Outgoing(Protocol):
    """Carries octets between a Twisted transport and the channel of a client."""

    transport: Transport

    def __init__(self, peer: Peer, timeout: timedelta) -> None:
        self.channel = Channel(self, peer, timeout)
        self.tls: IOpenSSLClientConnectionCreator | None = None
        """Who is expected on the other side; set before `start_tls`."""
        self.when_encrypted: Callable[[str], object] = lambda _: None
        self.when_lost: Callable[[str], object] = lambda _: None
        """Who watches; told once each, in words."""
        self._handshake: asyncio.Future[str] | None = None
        self._cut_off: asyncio.TimerHandle | None = None
        self._is_given_up = False
        """Whoever wanted the connection has gone before it was made."""

    # Twisted's side.

    def connectionMade(self) -> None:  # noqa: N802
        if self._is_given_up:
            self.transport.abortConnection()
            return
        if hasattr(self.transport, "setTcpNoDelay"):  # a Unix socket has none
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
        self.when_lost(_said(reason.value))

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
        if self.tls is None or self.channel.closed:
            raise ConnectionError("the connection is closed")
        self._handshake = asyncio.get_running_loop().create_future()
        self.transport.unregisterProducer()
        self.transport.startTLS(self.tls)
        self.transport.registerProducer(self, True)
        tls = await self._handshake
        self.when_encrypted(tls)
        return tls

    def close(self) -> None:
        self.transport.unregisterProducer()
        self._cut_off = asyncio.get_running_loop().call_later(LINGER_SECONDS, self.transport.abortConnection)
        self.transport.loseConnection()

    def abort(self) -> None:
        self.transport.unregisterProducer()
        self.transport.abortConnection()

    def give_up(self) -> None:
        """Before it is made, or just when it is."""
        self._is_given_up = True
        if getattr(self, "transport", None) is not None:
            self.channel.abort()

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
    """Connect to an IP address, or to the path of a Unix socket, `within` a time. Raises `Unreachable`.

    `silence` is the deadline of the channel's waits.
    """
    outgoing = Outgoing(Peer(address, port, "relay"), silence)
    making = _endpoint(address, port, within, source).connect(_One(outgoing))
    try:
        await making.asFuture(asyncio.get_running_loop())
    except ConnectError as problem:
        timed_out = isinstance(problem, ConnectTimedOut | TCPTimedOutError)
        refused = isinstance(problem, ConnectRefused)
        text = "no answer in time" if timed_out else _said(problem)
        raise Unreachable(text, timed_out=timed_out, refused=refused) from None
    except BaseException:
        outgoing.give_up()
        raise
    return outgoing


def _endpoint(address: str, port: int, within: timedelta, source: str) -> IStreamClientEndpoint:
    from twisted.internet import reactor

    seconds = within.total_seconds()
    if address.startswith("/"):
        return UNIXClientEndpoint(reactor, address, timeout=seconds)
    try:
        target = ipaddress.ip_address(address)
        kinds = {target.version, ipaddress.ip_address(source or address).version}
    except ValueError as problem:
        raise Unreachable(str(problem)) from None
    if len(kinds) > 1:
        raise Unreachable(f"relay.source_address {source} cannot reach an address of the other kind")
    kind = TCP6ClientEndpoint if target.version == 6 else TCP4ClientEndpoint
    return kind(reactor, address, port, timeout=seconds, bindAddress=(source, 0) if source else None)


@implementer(IOpenSSLClientConnectionCreator)
class OpportunisticTLS:
    """TLS with whoever is there: against those who only listen (RFC 7435). The name is told, the certificate is not checked."""

    def __init__(self, host: str) -> None:
        self._host = host.encode("ascii", "ignore")

    def clientConnectionForTLS(self, protocol: object) -> SSL.Connection:  # noqa: ARG002, N802 - Twisted's signature
        connection = SSL.Connection(_unverified(), None)
        if self._host and not self._host.startswith(b"[") and not self._host.replace(b".", b"").isdigit():
            connection.set_tlsext_host_name(self._host)
        connection.set_connect_state()
        return connection


@cache
def _unverified() -> SSL.Context:
    """TLS 1.2 at least (RFC 8997): what is older is no better than none."""
    return CertificateOptions(verify=False, raiseMinimumTo=TLSVersion.TLSv1_2).getContext()


class VerifiedTLS:
    """TLS with the host of a name and with no other, by the system's authorities or by those of a file."""

    def __init__(self, authorities: Path | None = None) -> None:
        """Raises OSError and ValueError for a file that holds no certificates."""
        self._trust = platformTrust() if authorities is None else trustRootFromCertificates(_certificates(authorities))

    def expecting(self, host: str) -> IOpenSSLClientConnectionCreator:
        """RFC 7817 section 3: the name, or the address, that the administrator has written."""
        creator: IOpenSSLClientConnectionCreator = optionsForClientTLS(
            host, trustRoot=self._trust, extraCertificateOptions={"raiseMinimumTo": TLSVersion.TLSv1_2}
        )
        return creator


def _certificates(path: Path) -> list[Certificate]:
    pems = [each + END_OF_PEM for each in path.read_bytes().split(END_OF_PEM)[:-1]]
    if not pems:
        raise ValueError(f"{path} holds no certificate in PEM")
    return [Certificate.loadPEM(pem) for pem in pems]


END_OF_PEM = b"-----END CERTIFICATE-----"


def _said(problem: BaseException | None) -> str:
    number = getattr(getattr(problem, "osError", None), "errno", None)
    if number is not None:
        return os.strerror(number)
    return str(problem).strip().rstrip(".") or type(problem).__name__
