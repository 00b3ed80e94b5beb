"""The sockets of the listeners: bound one by one before root is given up, so that a busy port stops the start with its name."""

import errno
import socket
from collections.abc import Mapping

from mailhost.config.problem import ConfigProblem

BACKLOG = 1024


class PortBusy(ConfigProblem):
    """The port cannot be listened on; the text names it, and the cure."""


class PortForbidden(PortBusy):
    """The system does not let this user listen there."""


CURES: Mapping[int, tuple[str, str]] = {
    errno.EADDRINUSE: ("{name}.port", "end what listens there, or set another port"),
    errno.EADDRNOTAVAIL: ("server.bind", "set an address that this machine has"),
    errno.EAFNOSUPPORT: ("server.bind", "set an address of a kind that this machine has"),
    errno.EACCES: ("{name}.port", "a port below 1024 needs root or CAP_NET_BIND_SERVICE; or set another port"),
}
"""Which setting is at fault, and what to do."""
OTHER = ("{name}.port", "")


def bind(name: str, address: str, port: int) -> socket.socket:
    """A socket that holds the port of a listener and does not listen yet. Raises `PortBusy`."""
    try:
        holding = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    except OSError as refused:
        raise problem(name, address, port, refused) from refused
    try:
        holding.setblocking(False)
        holding.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if address == "::":
            holding.setsockopt(
                socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0
            )  # every address, whatever the system's default
        holding.bind((address, port))
    except OSError as refused:
        holding.close()
        raise problem(name, address, port, refused) from refused
    return holding


def bind_all(address: str, ports: Mapping[str, int]) -> dict[str, socket.socket]:
    """A socket for each listener, or none of them. Raises `PortBusy`."""
    held: dict[str, socket.socket] = {}
    try:
        for name, port in ports.items():
            held[name] = bind(name, address, port)
    except PortBusy:
        close_all(held)
        raise
    return held


def close_all(held: Mapping[str, socket.socket]) -> None:
    for each in held.values():
        each.close()


def begin(name: str, holding: socket.socket) -> None:
    """Listen. Two programs can bind one port, but only one can listen on it. Raises `PortBusy`."""
    try:
        holding.listen(BACKLOG)
    except OSError as refused:
        address, port = holding.getsockname()[:2]
        raise problem(name, address, port, refused) from refused


def problem(name: str, address: str, port: int, refused: OSError) -> PortBusy:
    key, cure = CURES.get(refused.errno or 0, OTHER)
    line = f"cannot listen on {address} port {port}: {refused.strerror or refused}" + (f"; {cure}" if cure else "")
    kind = PortForbidden if refused.errno == errno.EACCES else PortBusy
    return kind("", key.format(name=name), line)
