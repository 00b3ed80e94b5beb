"""Durable accepts per second with 1, 10, 50 and 200 waiting: everything real but the network.

    python -m benchmarks.accepts                      # SQLite, in a folder of its own
    python -m benchmarks.accepts --url postgresql+asyncpg://...   # an empty database

Each accept is what SMTP's DATA does: compress, scan, one blob, one message, one place, counters, acceptance, delivery.
"""

import argparse
import asyncio
import shutil
import sys
import tempfile
import time
from pathlib import Path

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
from mailhost.store.values import Content

SECONDS = 3.0
LINE = b"The quick brown fox jumps over the lazy dog, and the mail goes through, always.\r\n"


def message(number: int, size: int = 4096) -> bytes:
    head = (
        f"From: Sender <sender@example.net>\r\nTo: user@bench.test\r\nSubject: message {number}\r\n"
        f"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}@example.net>\r\n\r\n"
    ).encode()
    return (head + LINE * (size // len(LINE) + 1))[:size]


async def measure(database: Database, blobs: BlobStore, users: list[Address], waiting: int) -> float:
    """Accepts per second, with so many under way at each moment."""
    end = time.perf_counter() + SECONDS
    done = 0
    directory = Directory(database)

    async def one(worker: int) -> None:
        nonlocal done
        number = worker
        while time.perf_counter() < end:
            user = users[number % len(users)]
            content = message(number)
            recipient = await directory.route(user.local, user.domain)
            blob = blobs.inline(content)
            acceptance = Acceptance(
                JourneyId(fresh()),
                now(),
                "192.0.2.1",
                "bench",
                None,
                "sender@example.net",
                blob.id,
                b"Received: by us\r\n",
                blob.size,
            )
            await database.write(accept, AcceptRequest(acceptance, Content(blob, scan(content)), (recipient,)))
            done += 1
            number += waiting

    started = time.perf_counter()
    await asyncio.gather(*(one(worker) for worker in range(waiting)))
    return done / (time.perf_counter() - started)


async def run(config: Config) -> None:
    opened = await connect(config, 0)
    database = opened.database
    blobs = blob_store(config, database)
    users = [Address(f"user{number}", "bench.test") for number in range(10)]
    for user in users:
        await database.write(create, user, "no password", now())
    sys.stdout.write(f"{'waiting':>8} {'accepts/s':>10} {'CPU us each':>12}\n")
    for waiting in (1, 10, 50, 200):
        cpu = time.process_time()
        rate = await measure(database, blobs, users, waiting)
        each = (time.process_time() - cpu) / (rate * SECONDS) * 1e6
        sys.stdout.write(f"{waiting:>8} {rate:>10.0f} {each:>12.0f}\n")
    blobs.close()
    await opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="sqlite")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="mailhost-bench-"))
    try:
        config = load(None, [f"server.data={folder}", f"database.url={arguments.url}"])
        try:
            import uvloop
        except ImportError:
            asyncio.run(run(config))
        else:
            uvloop.run(run(config))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
