"""Listening ports in Twisted's hands, over sockets that were bound before."""

import asyncio
import socket

from twisted.internet.defer import maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory

from mailhost.transport.ports import begin


def listen(name: str, holding: socket.socket, factory: ServerFactory) -> IListeningPort:
    """Accept connections on a bound socket, which is Twisted's from now on. Raises `PortBusy`."""
    from twisted.internet import reactor

    begin(name, holding)
    listening: IListeningPort = reactor.adoptStreamPort(holding.fileno(), holding.family, factory)  # type: ignore[attr-defined]  # IReactorSocket, which the reactor's type does not name
    holding.close()  # Twisted has a copy
    return listening


async def stop_listening(port: IListeningPort) -> None:
    await maybeDeferred(port.stopListening).asFuture(asyncio.get_running_loop())
