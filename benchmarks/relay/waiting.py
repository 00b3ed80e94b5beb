"""A queue of 100,000 that are not due: what it costs to start, in memory, at each claim, and for a new message."""

import asyncio
import re
import shutil
import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path

from benchmarks.engines import run
from benchmarks.relay.lab import Figures, Lab
from benchmarks.relay.latency import part, times
from benchmarks.relay.mailhost import Mailhost, mailhost
from benchmarks.relay.places import LATENCY
from benchmarks.relay.senders import Letter, quit_, submit_one
from mailhost.administration.opening import open_database
from mailhost.config.load import load
from mailhost.ids import Millis, now
from mailhost.queue import claims
from mailhost.queue.values import Share, State

SIZES = (100, 10_000, 100_000)
SPREADS = (1_000, 1)
"""Destinations that they are for."""
DUE = 100
"""Rows that are due beside them, all of them claimed at a time."""
CLAIMS = 21
NEW = 50
"""Messages that go through, to see how long one takes."""
HOLD = " HOLDFOR=864000"
TABLES = "acceptance", "delivery"
FILL = """
WITH RECURSIVE one(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM one WHERE n < :last)
INSERT INTO {table} ({columns}) SELECT {values} FROM {table} AS template, one WHERE template.id = :id
"""
NAMED = {
    "recipient": "'user' || n || '@w' || (n % :spread) || '.test'",
    "original": "'user' || n || '@w' || (n % :spread) || '.test'",
    "destination": "'w' || (n % :spread) || '.test'",
    "next_try": "coalesce(:due, next_try)",
}
PSS = re.compile(r"^Pss: +(\d+) kB", re.MULTILINE)


def waiting(lab: Lab, folder: Path) -> Figures:
    """Fresh servers, each on its own copy of a folder where one message is held back."""
    folder.mkdir()
    start = folder / "start"
    with mailhost(start, lab.port, lab.dns) as server:
        wire = server.connect()
        submit_one(wire, Letter(server.sender, ["user0@w0.test"], HOLD), 0)
        quit_(wire)
    found = {f"{name} 0": value for name, value in serve(lab, start, 1).items()}
    for spread in SPREADS:
        data = folder / f"spread{spread}"
        shutil.copytree(start, data)
        queue = Queue(data, spread)
        for size in SIZES:
            queue.fill(size)
            found[f"claim {spread} {size}"] = queue.claim()
        found |= {f"{name} {spread}": value for name, value in serve(lab, data, SIZES[-1] + 1).items()}
        found[f"memory {spread}"] -= found["memory 0"]
    return found


def serve(lab: Lab, data: Path, rows: int) -> Figures:
    started = time.perf_counter()
    with mailhost(data, lab.port, lab.dns) as server:
        ready = time.perf_counter() - started
        assert server.waiting() == rows, server.waiting()
        new = times(lab, server, NEW, lambda: LATENCY)
        return {"start": ready, "new": part(new, 0.5), "memory": memory(server)}


def memory(server: Mailhost) -> float:
    """MB that are the process's own, and its share of what others use too."""
    rollup = Path(f"/proc/{server.server.process.pid}/smaps_rollup").read_text()
    match = PSS.search(rollup)
    assert match
    return int(match[1]) / 1024


class Queue:
    """The ledger of a server that does not run; rows are copies of the one that waits."""

    def __init__(self, data: Path, spread: int) -> None:
        self._data, self._spread = data, spread
        self._size = 0

    def fill(self, size: int) -> None:
        self._insert(self._size + 1, size, self._spread)
        self._size = size

    def claim(self) -> float:
        """Milliseconds, the median of some: all that is due, with the commit."""
        found: list[float] = []
        first = SIZES[-1] + 1
        self._insert(first, first + DUE - 1, 1, now() - 1000)
        run(self._claims(found))
        with closing(self._open()) as file, file:
            file.execute("DELETE FROM delivery WHERE state = 0 AND next_try < ?", (now(),))
            file.execute("DELETE FROM acceptance WHERE id NOT IN (SELECT acceptance_id FROM delivery)")
        return statistics.median(found)

    async def _claims(self, found: list[float]) -> None:
        async with open_database(load(self._data / "mailhost.toml", [])) as database:
            share = Share("w0.test", self._sender())
            for _ in range(CLAIMS):
                at = now()
                claim = claims.Claim((share,), "benchmark", at, Millis(at + 60_000), DUE)
                started = time.perf_counter()
                taken = await database.write(claims.take, claim)
                found.append((time.perf_counter() - started) * 1000)
                assert len(taken.rows) == DUE, len(taken.rows)
                await database.write(claims.release, "benchmark", None)
                await asyncio.sleep(0)

    def _sender(self) -> int:
        with closing(self._open()) as file:
            sender: int = file.execute("SELECT sender FROM delivery WHERE state = 0").fetchone()[0]
            return sender

    def _insert(self, first: int, last: int, spread: int, due: int | None = None) -> None:
        """Not due, where no time is given."""
        with closing(self._open()) as file, file:
            delivery, acceptance = file.execute(
                "SELECT id, acceptance_id FROM delivery WHERE state = ? ORDER BY id LIMIT 1", (int(State.WAITING),)
            ).fetchone()
            named = {"spread": spread, "due": due, "first": first, "last": last}
            for table, id_ in zip(TABLES, (acceptance, delivery), strict=True):
                columns = [row[1] for row in file.execute(f"PRAGMA table_info({table})")]
                values = [
                    f"{each} + n" if each in ("id", "acceptance_id") else NAMED.get(each, each) for each in columns
                ]
                file.execute(
                    FILL.format(table=table, columns=", ".join(columns), values=", ".join(values)),
                    named | {"id": id_},
                )

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self._data / "mailhost.db")
