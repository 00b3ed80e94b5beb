"""The relay beside Postfix, in the same run: `python -m benchmarks.relay [--repeat N] [--write docs/performance.md]`.

Both servers are fresh, on loopback, in a temporary folder (Debian: postfix; as root). The far side of both is Postfix's own
smtp-sink, one at each of a hundred addresses. For each case they are measured in turn, as often as --repeat says, the one first that was
last before. The table is Markdown; --write puts it between its markers in a file. docs/performance.md says what the rows mean.
"""

import argparse
import os
import platform
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import ParamSpec

from benchmarks.beside import progress, put, stop
from benchmarks.engines import engine
from benchmarks.relay.costs import costs
from benchmarks.relay.dead import dead
from benchmarks.relay.lab import Figures, Lab, lab
from benchmarks.relay.latency import idle
from benchmarks.relay.mailhost import SQLITE, Mailhost, Relayer, mailhost
from benchmarks.relay.places import ROUTES
from benchmarks.relay.postfix import Postfix, postfix
from benchmarks.relay.rates import flow, queue
from benchmarks.relay.recipients import recipients
from benchmarks.relay.sinks import PATH
from benchmarks.relay.table import MARKS, OURS, POSTGRESQL, THEIRS, missed, table
from benchmarks.relay.waiting import waiting
from benchmarks.report import machine, say, scratch

CASES: dict[str, Callable[[Lab, Relayer], Figures]] = {
    "queue": queue,
    "flow": flow,
    "idle": idle,
    "recipients": recipients,
}
"""Measured on servers that run through all of them."""
OTHERS = ("waiting", "dead")
"""Each with servers of its own."""
ON_POSTGRESQL = ("queue", "flow")
BEGIN, END = "<!-- benchmarks.relay: from here -->", "<!-- benchmarks.relay: to here -->"
AT_ONCE = "server.grace=1s"
"""Whoever waits for a dead host when the server ends is not waited for."""


P = ParamSpec("P")


class Results:
    def __init__(self) -> None:
        self.runs: dict[str, dict[str, list[float]]] = {}

    def add(self, label: str, found: Figures) -> None:
        for key, figure in found.items():
            self.runs.setdefault(label, {}).setdefault(key, []).append(figure)


class Bench:
    def __init__(self, far: Lab, folder: Path, results: Results) -> None:
        self._lab, self._folder, self._results = far, folder, results
        self._numbers = count()

    @contextmanager
    def ours(self, url: str = SQLITE) -> Iterator[Mailhost]:
        data = self._fresh()
        with mailhost(data, self._lab.port, self._lab.dns, url, AT_ONCE) as server:
            yield server
        shutil.rmtree(data)

    @contextmanager
    def theirs(self) -> Iterator[Postfix]:
        with postfix(self._fresh(), ROUTES, self._lab.port) as server:
            yield server

    def in_turn(self, cases: Sequence[str], repeat: int) -> None:
        """All cases that both can be asked for on one start."""
        with ExitStack() as stack:
            servers: list[Relayer] = [stack.enter_context(self.ours()), stack.enter_context(self.theirs())]
            for name in cases:
                for _ in range(repeat):
                    for server in servers:
                        self._measure(server.label, name, CASES[name], self._lab, server)
                    servers.reverse()

    def on_postgresql(self, cases: Sequence[str], repeat: int) -> None:
        with engine(argparse.Namespace(postgresql=True, url="")) as url, self.ours(url) as server:
            for name in cases:
                for _ in range(repeat):
                    self._measure(POSTGRESQL, name, CASES[name], self._lab, server)

    def with_dead(self, rounds: int) -> None:
        self._measure(OURS, "dead", dead, self._lab, self.ours, rounds)
        self._measure(THEIRS, "dead", dead, self._lab, self.theirs, rounds)

    def with_waiting(self) -> None:
        self._measure(OURS, "waiting", waiting, self._lab, self._fresh())

    def costs(self) -> None:
        folder = self._fresh()
        folder.mkdir()
        for line in costs(self._lab, folder):
            say(line)

    def _measure(self, label: str, name: str, case: Callable[P, Figures], *given: P.args, **named: P.kwargs) -> None:
        started = time.monotonic()
        self._results.add(label, case(*given, **named))
        progress(f"{name} {label}: {time.monotonic() - started:.0f} s")

    def _fresh(self) -> Path:
        return self._folder / f"server{next(self._numbers)}"


def about() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("Twisted", "SQLAlchemy", "uvloop"))
    ours = f"mailhost with Python {platform.python_version()}, {packages}, SQLite {sqlite3.sqlite_version}"
    said = subprocess.run(
        [shutil.which("postconf", path=PATH) or "postconf", "-d", "-h", "mail_version"],
        capture_output=True,
        text=True,
        check=False,
    )
    return (
        f"`python -m benchmarks.relay {' '.join(sys.argv[1:])}`\n\n{machine()}. {ours}. Postfix {said.stdout.strip()}."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join((*CASES, *OTHERS)), help="these cases, comma-separated")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=4, help="pairs of runs with a dead destination and without")
    parser.add_argument("--postgresql", action="store_true", help="the rates on a private cluster too")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the markers of this file")
    parser.add_argument("--costs", action="store_true", help="say only where the relay's CPU goes")
    given = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("Postfix gives up root by itself, and so begins as root")
    signal.signal(signal.SIGTERM, stop)
    results, said = Results(), about()
    with scratch() as folder, lab() as far:
        folder.chmod(0o755)  # Postfix's processes have users of their own
        bench = Bench(far, folder, results)
        if given.costs:
            bench.costs()
            return
        try:
            measure(bench, given)
        except BaseException:
            progress("\n".join(table(results.runs)))  # what was measured before
            raise
    text = "\n".join([said, "", *table(results.runs), "", MARKS])
    text += f"\n\nGoals missed: {'; '.join(missed(results.runs)) or 'none'}.\n"
    say(text)
    if given.write:
        put(text, given.write, BEGIN, END)


def measure(bench: Bench, given: argparse.Namespace) -> None:
    wanted = given.only.split(",")
    if shared := [name for name in CASES if name in wanted]:
        bench.in_turn(shared, given.repeat)
    if given.postgresql and (rates := [name for name in ON_POSTGRESQL if name in wanted]):
        bench.on_postgresql(rates, given.repeat)
    if "waiting" in wanted:
        bench.with_waiting()
    if "dead" in wanted:
        bench.with_dead(given.rounds)


if __name__ == "__main__":
    main()
