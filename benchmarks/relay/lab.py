"""What stands around the servers that are measured, and what is measured of them."""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.relay.places import ADDRESSES, DEAD, FRESH_DOMAINS, RECORDER, name_server
from benchmarks.relay.recorder import Recorder, recorder
from benchmarks.relay.sinks import Sinks, free_port, sinks

Figures = dict[str, float]
"""By the names of `benchmarks.relay.table`."""


@dataclass
class Lab:
    port: int
    """Of every far side."""
    dns: int
    sinks: Sinks
    recorder: Recorder
    fresh: Iterator[str] = field(default_factory=lambda: itertools.cycle(FRESH_DOMAINS))
    """Destinations that no connection is kept for."""


@contextmanager
def lab() -> Iterator[Lab]:
    port = free_port([*ADDRESSES, RECORDER, DEAD])
    with name_server() as dns, sinks(ADDRESSES, port) as far, recorder(port) as exact:
        yield Lab(port, dns, far, exact)
