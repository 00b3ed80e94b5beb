"""One message at a time: from the 250 that the client has seen to the last line at the far side."""

import time
from collections.abc import Callable, Sequence

from benchmarks.relay.lab import Figures, Lab
from benchmarks.relay.mailhost import Relayer
from benchmarks.relay.places import LATENCY
from benchmarks.relay.senders import Letter, quit_, submit_one

MESSAGES = 200
FRESH = 30
PAUSE = 0.01
"""Seconds between them: nothing else is to be done then."""
SECONDS = 30.0


def idle(lab: Lab, relayer: Relayer) -> Figures:
    known = times(lab, relayer, MESSAGES, lambda: LATENCY)
    fresh = times(lab, relayer, FRESH, lambda: next(lab.fresh))
    return {
        "idle p50": part(known, 0.5),
        "idle p99": part(known, 0.99),
        "fresh p50": part(fresh, 0.5),
    }


def times(lab: Lab, relayer: Relayer, messages: int, whither: Callable[[], str]) -> list[float]:
    """Milliseconds, sorted. The first one is left out: it opens what the others use."""
    wire = relayer.connect()
    found = []
    for number in range(messages + 1):
        accepted = submit_one(wire, Letter(relayer.sender, [f"user{number}@{whither()}"]), number)
        found.append((lab.recorder.wait(number, SECONDS) - accepted) * 1000)
        time.sleep(PAUSE)
    quit_(wire)
    return sorted(found[1:])


def part(ordered: Sequence[float], share: float) -> float:
    return ordered[int(len(ordered) * share)]
