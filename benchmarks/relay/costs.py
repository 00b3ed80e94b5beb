"""Where the relay's CPU goes: its most costly functions, to 1 destination and to 100. The profile itself is in the times."""

import pstats
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.relay.lab import Lab
from benchmarks.relay.mailhost import MESSAGES, mailhost
from benchmarks.relay.rates import MANY, SECONDS, letters
from benchmarks.relay.senders import submit
from benchmarks.report import TOP

MOST = 10
WRITTEN = 10.0
"""Seconds that the profile may take to be there."""


def costs(lab: Lab, folder: Path) -> Iterator[str]:
    """Lines of text."""
    stats = folder / "stats"
    program = ("-m", "benchmarks.relay.profiled", str(stats))
    with mailhost(folder / "data", lab.port, lab.dns, program=program) as server:
        for many in MANY:
            parameters, total = server.hold(MESSAGES), lab.sinks.total + MESSAGES
            submit(server.connect_held, [replace(each, parameters=parameters) for each in letters(server, many)])
            assert server.let_go() is not None, "the queue was not filled in time"
            server.server.process.send_signal(signal.SIGUSR2)
            lab.sinks.wait(total, SECONDS)
            time.sleep(0.3)
            server.server.process.send_signal(signal.SIGUSR2)
            yield f"to {many}, microseconds a message: in the function itself, with all that it calls, calls"
            yield from _lines(_when_written(stats))
            stats.unlink()


def _when_written(stats: Path) -> pstats.Stats:
    ends = time.monotonic() + WRITTEN
    while True:
        try:
            return pstats.Stats(str(stats))
        except (OSError, EOFError, ValueError, TypeError):
            if time.monotonic() > ends:
                raise
            time.sleep(0.05)


def _lines(stats: pstats.Stats) -> Iterator[str]:
    found = stats.stats  # type: ignore[attr-defined]  # typeshed leaves it out
    dearest = sorted(found.items(), key=lambda each: -each[1][2])[:MOST]
    for (file, line, name), (_, calls, own, cumulative, _) in dearest:
        where = f"{Path(file).relative_to(TOP)}:{line}" if file.startswith(str(TOP)) else Path(file).name.strip("~")
        figures = f"{own / MESSAGES * 1e6:7.1f} {cumulative / MESSAGES * 1e6:7.1f} {calls / MESSAGES:6.1f}"
        yield f"    {figures}  {where} {name}".rstrip()
