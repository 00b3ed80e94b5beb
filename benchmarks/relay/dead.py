"""One destination of a hundred where connections get no answer: what the others lose by it."""

import socket
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from benchmarks.relay.lab import Figures, Lab
from benchmarks.relay.mailhost import Relayer
from benchmarks.relay.places import DEAD, DEAD_DOMAIN, DESTINATIONS, domain
from benchmarks.relay.senders import Letter, submit

EACH = 20
"""Messages to each destination."""
SECONDS = 120.0
Fresh = Callable[[], AbstractContextManager[Relayer]]


@contextmanager
def nobody(port: int) -> Iterator[None]:
    """It listens, and its queue of connections is full: the system drops what comes."""
    with ExitStack() as stack:
        server = stack.enter_context(socket.create_server((DEAD, port), backlog=0))
        while True:
            other = stack.enter_context(socket.socket())
            other.settimeout(0.3)
            try:
                other.connect(server.getsockname())
            except TimeoutError:
                break
        yield


def dead(lab: Lab, fresh: Fresh, rounds: int) -> Figures:
    """With it and without it in turn, each time with a server that has never met it."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    with nobody(lab.port):
        for number in range(rounds):
            for has_dead in (False, True) if number % 2 else (True, False):
                with fresh() as relayer:
                    rates[has_dead].append(rate(lab, relayer, has_dead))
    without, with_it = (statistics.median(rates[each]) for each in (False, True))
    return {"dead without": without, "dead with": with_it, "dead loss": (1 - with_it / without) * 100}


def rate(lab: Lab, relayer: Relayer, has_dead: bool) -> float:
    """Of the living: messages a second from the queue."""
    living = [domain(number) for number in range(DESTINATIONS - 1)]
    all_of_them = [DEAD_DOMAIN, *living] if has_dead else living
    messages = len(all_of_them) * EACH
    parameters = relayer.hold(messages)
    names = [f"user{number}@{all_of_them[number % len(all_of_them)]}" for number in range(messages)]
    submit(relayer.connect_held, [Letter(relayer.sender, [name], parameters) for name in names])
    total = lab.sinks.total + len(living) * EACH
    seconds = -relayer.let_go() + lab.sinks.wait(total, SECONDS)
    return len(living) * EACH / seconds
