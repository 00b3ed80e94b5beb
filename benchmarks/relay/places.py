"""Who is where: destinations, their addresses on loopback, and the DNS that leads to them."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.dns import Zone

SO_RCVBUFFORCE = 33
"""Linux; the module `socket` has no name for it. For root only."""
BUFFER_OCTETS = 1 << 22

DESTINATIONS = 100
FIRST = 2
"""127.0.0.2 is the first destination's."""
RECORDER = "127.0.0.200"
"""Where the benchmark itself takes mail, to note its time."""
FRESH = 300
"""Destinations there, each met once in a while."""
DEAD = "127.0.0.201"
"""Where nobody answers."""


def domain(number: int) -> str:
    return f"d{number}.test"


def address(number: int) -> str:
    return f"127.0.0.{FIRST + number}"


ADDRESSES = tuple(address(number) for number in range(DESTINATIONS))
LATENCY, DEAD_DOMAIN = "latency.test", "dead.test"
FRESH_DOMAINS = tuple(f"fresh{number}.test" for number in range(FRESH))
ROUTES = {domain(number): address(number) for number in range(DESTINATIONS)} | dict.fromkeys(
    (LATENCY, *FRESH_DOMAINS), RECORDER
)
"""Each domain, and where its mail goes."""
ROUTES[DEAD_DOMAIN] = DEAD


def records() -> dict[str, list[str]]:
    """An MX for each domain, and its address."""
    found = {}
    for name, where in ROUTES.items():
        found[f"{name} MX"] = [f"10 mx.{name}."]
        found[f"mx.{name} A"] = [where]
    return found


@contextmanager
def name_server() -> Iterator[int]:
    """Answers for the zone, by UDP: what a resolver next door would know. Its buffer holds the questions of all destinations at once."""
    zone, known = Zone(records()), dict[bytes, bytes]()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        wire.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_OCTETS)
        wire.bind(("127.0.0.1", 0))
        wire.settimeout(0.2)
        ends = threading.Event()

        def serve() -> None:
            while not ends.is_set():
                with suppress(TimeoutError):
                    question, asker = wire.recvfrom(4096)
                    if question[2:] not in known:
                        known[question[2:]] = (zone.answer(question) or b"")[2:]
                    wire.sendto(question[:2] + known[question[2:]], asker)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield wire.getsockname()[1]
        finally:
            ends.set()
            thread.join()
