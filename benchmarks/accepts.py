"""Durable accepts per second with 1, 10, 50 and 200 waiting: everything real but the network.

    python -m benchmarks.accepts                 # SQLite, in a folder of its own
    python -m benchmarks.accepts --postgresql    # a private cluster
    python -m benchmarks.accepts --url postgresql+asyncpg://...   # an empty database

Each accept is what SMTP's DATA does: compress, scan, one blob, one message, one place, counters, acceptance, delivery. CPU is
that of this process in microseconds an accept, and what of it is scan, prepare (zstd and SHA-256) and the rest.
"""

import argparse
import asyncio
import cProfile
import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from benchmarks.engines import add_engine, engine
from benchmarks.engines import run as run_loop
from benchmarks.report import heading, say, scratch
from mailhost.administration.accounts import create
from mailhost.administration.opening import blob_store, connect
from mailhost.config.load import load
from mailhost.config.settings import Config
from mailhost.database.database import Database
from mailhost.delivery.accept import AcceptRequest, accept
from mailhost.delivery.directory import Directory
from mailhost.ids import JourneyId, fresh, now
from mailhost.message.address import Address
from mailhost.message.structure import scan
from mailhost.queue.values import Acceptance
from mailhost.store.octets import BlobStore
from mailhost.store.values import Content, PreparedBlob
from mailhost.transport.reactor import settle

T = TypeVar("T")

USERS = 10
OCTETS = 4096
SAMPLE = 16
"""One in so many is looked at closely: the clock of a thread's CPU costs a microsecond."""
LINE = b"The quick brown fox jumps over the lazy dog, and the mail goes through, always.\r\n"


def message(number: int, size: int = OCTETS) -> bytes:
    head = (
        f"From: Sender <sender@example.net>\r\nTo: user@bench.test\r\nSubject: message {number}\r\n"
        f"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@example.net>\r\n\r\n"
    ).encode()
    return (head + LINE * (size // len(LINE) + 1))[: size - 2] + b"\r\n"


@dataclass
class Figures:
    """Of one row of the table; seconds."""

    done: int = 0
    samples: int = 0
    elapsed: float = 0.0
    cpu: float = 0.0
    scanning: float = 0.0
    preparing: float = 0.0

    def row(self, waiting: int) -> str:
        parts = [seconds / self.samples for seconds in (self.scanning, self.preparing)]
        each = [seconds * 1e6 for seconds in (self.cpu / self.done, *parts)]
        rest = each[0] - each[1] - each[2]
        columns = "".join(f"{figure:>9.0f}" for figure in (*each, rest))
        return f"{waiting:>8} {self.done / self.elapsed:>10.0f} {columns}"


class Load:
    """Keeps so many accepts under way, for so long or until there were so many."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        users: list[Address],
        seconds: float = math.inf,
        messages: float = math.inf,
        content: Callable[[int], bytes] = message,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._directory = Directory(database)
        self._users = users
        self._seconds = seconds
        self._messages = messages
        self._content = content

    async def measure(self, waiting: int) -> Figures:
        figures = Figures()
        started, cpu = time.perf_counter(), time.process_time()
        end = started + self._seconds
        await asyncio.gather(*(self._one(number, waiting, end, figures) for number in range(waiting)))
        figures.elapsed, figures.cpu = time.perf_counter() - started, time.process_time() - cpu
        return figures

    async def _one(self, number: int, step: int, end: float, figures: Figures) -> None:
        while time.perf_counter() < end and number < self._messages:
            await self._accept(number, figures)
            figures.done += 1
            number += step

    async def _accept(self, number: int, figures: Figures) -> None:
        user = self._users[number % len(self._users)]
        content = self._content(number)
        recipient = await self._directory.route(user.local, user.domain)
        if figures.done % SAMPLE:
            blob, scanned = self._blobs.inline(content), scan(content)
        else:
            blob, figures.preparing = _timed(lambda: self._blobs.inline(content), figures.preparing)
            scanned, figures.scanning = _timed(lambda: scan(content), figures.scanning)
            figures.samples += 1
        request = AcceptRequest(_acceptance(blob), Content(blob, scanned), (recipient,))
        await self._database.write(accept, request)


def _timed(work: Callable[[], T], so_far: float) -> tuple[T, float]:
    """The answer, and the seconds of this thread's CPU together with those before."""
    started = time.thread_time()
    answer = work()
    return answer, so_far + time.thread_time() - started


def _acceptance(blob: PreparedBlob) -> Acceptance:
    prefix = b"Received: by us\r\n"
    journey, sender = JourneyId(fresh()), "sender@example.net"
    return Acceptance(journey, now(), "192.0.2.1", "bench", None, sender, blob.id, prefix, blob.size)


async def run(config: Config, arguments: argparse.Namespace) -> None:
    opened = await connect(config, 0)
    blobs = blob_store(config, opened.database)
    users = [Address(f"user{number}", "bench.test") for number in range(USERS)]
    for user in users:
        await opened.database.write(create, user, "no password", now())
    settle()
    load_of = Load(opened.database, blobs, users, arguments.seconds)
    say(f"{'waiting':>8} {'accepts/s':>10} {'CPU us':>9}{'scan':>9}{'prepare':>9}{'rest':>9}")
    for _ in range(arguments.rounds):
        for waiting in arguments.waiting:
            gc.collect()
            say((await load_of.measure(waiting)).row(waiting))
    blobs.close()
    await opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_engine(parser)
    parser.add_argument("--waiting", type=int, nargs="+", default=[1, 10, 50, 200])
    parser.add_argument("--seconds", type=float, default=3.0, help="for each row")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="say where the time goes; the figures are too high then")
    arguments = parser.parse_args()
    heading("benchmarks.accepts")
    with scratch() as folder, engine(arguments) as url:
        config = load(None, [f"server.data={folder}", f"database.url={url}"])
        if arguments.profile:
            cProfile.runctx("run_loop(run(config, arguments))", globals(), locals(), sort="tottime")
        else:
            run_loop(run(config, arguments))


if __name__ == "__main__":
    main()
