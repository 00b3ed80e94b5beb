"""Ports: opened one by one and awaited, so that a busy one stops the start with its name."""

import asyncio

from twisted.internet.defer import maybeDeferred
from twisted.internet.endpoints import TCP4ServerEndpoint, TCP6ServerEndpoint
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ServerFactory

BACKLOG = 1024


class PortBusy(Exception):
    """The port cannot be listened on; the text names it."""


async def listen(address: str, port: int, factory: ServerFactory) -> IListeningPort:
    """Raises `PortBusy`."""
    from twisted.internet import reactor

    endpoint = TCP6ServerEndpoint if ":" in address else TCP4ServerEndpoint
    try:
        opening = endpoint(reactor, port, backlog=BACKLOG, interface=address).listen(factory)  # type: ignore[no-untyped-call]  # Twisted's endpoints are untyped here
        listening: IListeningPort = await opening.asFuture(asyncio.get_running_loop())
    except CannotListenError as error:
        raise PortBusy(f"cannot listen on {address} port {port}: {error.socketError}") from error
    return listening


async def stop_listening(port: IListeningPort) -> None:
    await maybeDeferred(port.stopListening).asFuture(asyncio.get_running_loop())
