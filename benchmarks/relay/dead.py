"""One destination of a hundred where connections get no answer: what the others lose by it."""

import socket
import statistics
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

from benchmarks.relay.lab import Figures, Lab
from benchmarks.relay.mailhost import Relayer
from benchmarks.relay.places import DEAD, DEAD_DOMAIN, DESTINATIONS, domain
from benchmarks.relay.rates import from_queue, settle
from benchmarks.relay.senders import Letter

EACH = 20
"""Messages to each destination."""
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
    """Two servers in turn, one of which has mail for it each time. Two runs that follow each other are a pair: the machine's other work
    is much the same in both."""
    rates: dict[bool, list[float]] = {False: [], True: []}
    with nobody(lab.port), fresh() as one, fresh() as other:
        for number in range(rounds):
            turn = [(False, one), (True, other)]
            for has_dead, relayer in turn if number % 2 else reversed(turn):
                rates[has_dead].append(rate(lab, relayer, has_dead))
        settle(one)
        assert other.waiting() >= EACH * rounds, "the dead one is not dead"
    losses = [(1 - with_it / without) * 100 for without, with_it in zip(rates[False], rates[True], strict=True)]
    return {
        "dead without": statistics.median(rates[False]),
        "dead with": statistics.median(rates[True]),
        "dead loss": statistics.median(losses),
        "dead least": min(losses),
        "dead most": max(losses),
    }


def rate(lab: Lab, relayer: Relayer, has_dead: bool) -> float:
    """Of the living: messages a second from the queue."""
    living = [domain(number) for number in range(DESTINATIONS - 1)]
    all_of_them = [DEAD_DOMAIN, *living] if has_dead else living
    names = [f"user{number}@{all_of_them[number % len(all_of_them)]}" for number in range(len(all_of_them) * EACH)]
    some = [Letter(relayer.sender, [name]) for name in names]
    _, seconds = from_queue(lab, relayer, some, len(living) * EACH)
    return len(living) * EACH / seconds
