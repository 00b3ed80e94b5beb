"""Octets in the database a message of 4 KiB: `python -m benchmarks.octets [--postgresql]`.

Each is accepted for one account here, as `benchmarks.accepts` does; tables and their indexes, counted in whole pages: SQLite's by
dbstat where it has that, PostgreSQL's by pg_total_relation_size. Bodies are of random words: they shrink as mail does.
"""

import argparse
import random
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from benchmarks.accepts import USERS, Load
from benchmarks.engines import add_engine, engine
from benchmarks.engines import run as run_loop
from benchmarks.report import heading, say, scratch
from mailhost.administration.accounts import create
from mailhost.administration.opening import blob_store, connect
from mailhost.config.load import load
from mailhost.config.settings import Config
from mailhost.database.transaction import Transaction
from mailhost.ids import now
from mailhost.message.address import Address

WAITING = 50
SQLITE = "SELECT coalesce(t.tbl_name, s.name), sum(s.pgsize) FROM dbstat s LEFT JOIN sqlite_master t ON t.name = s.name GROUP BY 1"
SQLITE_WHOLE = "SELECT 'all tables', page_count * page_size FROM pragma_page_count(), pragma_page_size()"
POSTGRESQL = "SELECT relname, pg_total_relation_size(oid) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
WORDS = [bytes(random.Random(number).choices(b"etaoinshrdlu", k=2 + number % 9)) for number in range(2_000)]


def wordy(number: int, size: int = 4096) -> bytes:
    chosen = random.Random(number)
    head = b"From: Sender <sender@example.net>\r\nTo: user@bench.test\r\nSubject: message %d\r\n" % number
    head += b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@example.net>\r\n\r\n" % number
    lines: list[bytes] = []
    while len(lines) * 22 < size:
        lines.append(b" ".join(chosen.choices(WORDS, k=11)) + b"\r\n")
    return (head + b"".join(lines))[: size - 2] + b"\r\n"


def sizes(tx: Transaction, engine_is_sqlite: bool) -> dict[str, int]:
    if not engine_is_sqlite:
        return of_query(tx, POSTGRESQL)
    try:
        return of_query(tx, SQLITE)
    except OperationalError:  # this SQLite was built without dbstat
        return of_query(tx, SQLITE_WHOLE)


def of_query(tx: Transaction, query: str) -> dict[str, int]:
    rows: list[Any] = list(tx.execute(text(query)))
    return {name: int(size) for name, size in rows}


async def run(config: Config, messages: int) -> None:
    opened = await connect(config, 0)
    database, is_sqlite = opened.database, config.sqlite_path is not None
    blobs = blob_store(config, database)
    users = [Address(f"user{number}", "bench.test") for number in range(USERS)]
    for user in users:
        await database.write(create, user, "no password", now())
    before = await database.read(sizes, is_sqlite)
    await Load(database, blobs, users, messages=messages, content=wordy).measure(WAITING)
    after = await database.read(sizes, is_sqlite)
    compressed = sum(blobs.inline(wordy(number)).stored_size for number in range(100)) / 100
    say(f"{'table with its indexes':<24} {'octets a message':>16}")
    grown = {name: (size - before.get(name, 0)) / messages for name, size in after.items()}
    for name, each in sorted(grown.items(), key=lambda item: -item[1]):
        if each >= 1:
            say(f"{name:<24} {each:>16.0f}")
    say(f"{'all':<24} {sum(grown.values()):>16.0f}\n\nof which the body, compressed: {compressed:.0f}")
    blobs.close()
    await opened.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_engine(parser)
    parser.add_argument("--messages", type=int, default=10_000)
    arguments = parser.parse_args()
    heading("benchmarks.octets")
    with scratch() as folder, engine(arguments) as url:
        run_loop(run(load(None, [f"server.data={folder}", f"database.url={url}"]), arguments.messages))


if __name__ == "__main__":
    main()
