"""How many messages a second: from a queue that was filled before, and from a client at full speed through to the far side."""

import time
from collections.abc import Sequence
from dataclasses import replace

from benchmarks.relay.lab import Figures, Lab
from benchmarks.relay.mailhost import Relayer
from benchmarks.relay.places import DESTINATIONS, domain
from benchmarks.relay.senders import Letter, submit

SECONDS = 120.0
"""After which a run has failed."""
MANY = (1, DESTINATIONS)
SETTLES = 20.0
"""Seconds until nothing waits any more, at most."""
QUIET = 0.3
"""And for what is written after that."""


def letters(relayer: Relayer, many: int) -> list[Letter]:
    """One to each destination in its turn."""
    return [Letter(relayer.sender, [f"user{n}@{domain(n % many)}"]) for n in range(relayer.messages)]


def queue(lab: Lab, relayer: Relayer) -> Figures:
    """From the moment that what was held back may go, to the last message at the far side."""
    found: Figures = {}
    for many in MANY:
        cpu, seconds = from_queue(lab, relayer, letters(relayer, many), relayer.messages)
        found |= _figures(f"queue {many}", relayer, seconds, cpu)
    return found


def from_queue(lab: Lab, relayer: Relayer, some: Sequence[Letter], arrive: int) -> tuple[float, float]:
    """The CPU used before anything went, and the seconds until so many had arrived."""
    while True:
        parameters, total = relayer.hold(len(some)), lab.sinks.total + arrive
        submit(relayer.connect_held, [replace(each, parameters=parameters) for each in some])
        cpu, started = relayer.cpu(), relayer.let_go()
        arrived = lab.sinks.wait(total, SECONDS)
        if started is not None:
            return cpu, arrived - started


def flow(lab: Lab, relayer: Relayer) -> Figures:
    """From the first command of ten connections to the last message at the far side."""
    found: Figures = {}
    for many in MANY:
        total, cpu = lab.sinks.total + relayer.messages, relayer.cpu()
        started = time.perf_counter()
        submit(relayer.connect, letters(relayer, many))
        found |= _figures(f"flow {many}", relayer, lab.sinks.wait(total, SECONDS) - started, cpu)
    return found


def _figures(name: str, relayer: Relayer, seconds: float, cpu: float) -> Figures:
    settle(relayer)
    return {name: relayer.messages / seconds, f"{name} cpu": (relayer.cpu() - cpu) / relayer.messages * 1000}


def settle(relayer: Relayer) -> None:
    """What the far side has, its sender has still to write down; that CPU counts, and the time does not."""
    ends = time.monotonic() + SETTLES
    while waiting := relayer.waiting():
        assert time.monotonic() < ends, f"{waiting} of {relayer.label} wait still"
        time.sleep(0.1)
    time.sleep(QUIET)
