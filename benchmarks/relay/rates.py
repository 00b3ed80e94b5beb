"""How many messages a second: from a queue that was filled before, and from a client at full speed through to the far side."""

import time

from benchmarks.relay.lab import Figures, Lab
from benchmarks.relay.mailhost import Relayer
from benchmarks.relay.places import DESTINATIONS, domain
from benchmarks.relay.senders import Letter, submit

MESSAGES = 2_000
SECONDS = 120.0
"""After which a run has failed."""
MANY = (1, DESTINATIONS)
SETTLES = 0.3
"""Seconds for what is written after the last message; its CPU counts."""


def letters(relayer: Relayer, many: int, parameters: str = "", count: int = MESSAGES) -> list[Letter]:
    """One to each destination in its turn."""
    return [Letter(relayer.sender, [f"user{n}@{domain(n % many)}"], parameters) for n in range(count)]


def queue(lab: Lab, relayer: Relayer) -> Figures:
    """From the moment that what was held back may go, to the last message at the far side."""
    found: Figures = {}
    for many in MANY:
        submit(relayer.connect_held, letters(relayer, many, relayer.hold(MESSAGES)))
        total, cpu = lab.sinks.total + MESSAGES, relayer.cpu()
        seconds = -relayer.let_go() + lab.sinks.wait(total, SECONDS)
        found |= _figures(f"queue {many}", relayer, seconds, cpu)
    return found


def flow(lab: Lab, relayer: Relayer) -> Figures:
    """From the first command of ten connections to the last message at the far side."""
    found: Figures = {}
    for many in MANY:
        total, cpu = lab.sinks.total + MESSAGES, relayer.cpu()
        started = time.perf_counter()
        submit(relayer.connect, letters(relayer, many))
        found |= _figures(f"flow {many}", relayer, lab.sinks.wait(total, SECONDS) - started, cpu)
    return found


def _figures(name: str, relayer: Relayer, seconds: float, cpu: float) -> Figures:
    time.sleep(SETTLES)
    assert not relayer.waiting(), f"{relayer.waiting()} of {relayer.label} wait still"
    return {name: MESSAGES / seconds, f"{name} cpu": (relayer.cpu() - cpu) / MESSAGES * 1000}
