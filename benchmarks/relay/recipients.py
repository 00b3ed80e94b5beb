"""One message to ten thousand recipients: from its 250 to the last transaction at the far side."""

import time

from benchmarks.relay.lab import Figures, Lab
from benchmarks.relay.mailhost import Relayer
from benchmarks.relay.places import DESTINATIONS, domain
from benchmarks.relay.senders import Letter, quit_, submit_one

RECIPIENTS = 10_000
SECONDS = 120.0
LOOK = 0.1


def recipients(lab: Lab, relayer: Relayer) -> Figures:
    found: Figures = {}
    for many in (1, DESTINATIONS):
        total, delivered = lab.sinks.total, relayer.delivered()
        wire = relayer.connect()
        names = [f"user{number}@{domain(number % many)}" for number in range(RECIPIENTS)]
        accepted = submit_one(wire, Letter(relayer.sender, names), 0)
        ends = time.perf_counter() + SECONDS
        while relayer.delivered() < delivered + RECIPIENTS:
            assert time.perf_counter() < ends, f"{relayer.label}: {relayer.delivered() - delivered} delivered"
            time.sleep(LOOK)
        found[f"recipients {many}"] = lab.sinks.last_at - accepted
        found[f"recipients {many} transactions"] = lab.sinks.total - total
        quit_(wire)
    return found
