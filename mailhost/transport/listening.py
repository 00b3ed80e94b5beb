"""Ports: opened one by one and awaited, so that a busy one stops the start with its name."""

import asyncio
import errno

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory

BACKLOG = 1024


CURES = {
    errno.EADDRINUSE: "end what listens there, or set another port",
    errno.EADDRNOTAVAIL: "server.bind is no address of this machine",
    errno.EACCES: "a port below 1024 needs the capability CAP_NET_BIND_SERVICE; or set another port",
}


class PortBusy(Exception):
    """The port cannot be listened on; the text names it, and the cure."""


class PortForbidden(PortBusy):
    """The system does not let this user listen there."""


async def listen(address: str, port: int, factory: ServerFactory) -> IListeningPort:
    """Raises `PortBusy`."""
    from twisted.internet import reactor

    endpoint = TCP6ServerEndpoint if ":" in address else TCP4ServerEndpoint
    try:
        opening = endpoint(reactor, port, backlog=BACKLOG, interface=address).listen(factory)  # type: ignore[no-untyped-call]  # Twisted's endpoints are untyped here
        listening: IListeningPort = await opening.asFuture(asyncio.get_running_loop())
    except CannotListenError as error:
        raise problem(address, port, error.socketError) from error
    return listening


def problem(address: str, port: int, refused: OSError) -> PortBusy:
    cure = CURES.get(refused.errno or 0)
    line = f"cannot listen on {address} port {port}: {refused.strerror or refused}" + (f"; {cure}" if cure else "")
    return PortForbidden(line) if refused.errno == errno.EACCES else PortBusy(line)


async def stop_listening(port: IListeningPort) -> None:
    await maybeDeferred(port.stopListening).asFuture(asyncio.get_running_loop())
