"""What is special in SQLite: savepoints of a driver in autocommit, full disks, threads and deadlines, several processes."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.database.lock import WriteLock
from mailhost.database.marks import long
from mailhost.database.sqlite import SQLiteEngine, SQLiteLimits, lock_path
from mailhost.database.sqlite_files import driver_of
from mailhost.database.transaction import Transaction
from tests.database.counting import add, add_and_fail, ids, sql
from tests.engines import Place

FOR_EVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
SHORT = timedelta(milliseconds=200)


def engine_of(database: Database) -> SQLiteEngine:
    engine = database._engine
    assert isinstance(engine, SQLiteEngine)
    return engine


def path_of(place: Place) -> Path:
    assert isinstance(place.where, Path)
    return place.where


@pytest.fixture
def quick(sqlite_place: Place) -> Any:
    return lambda: Database(SQLiteEngine(path_of(sqlite_place), SQLiteLimits(SHORT, SHORT, SHORT)))


def on_disk(place: Place) -> list[int]:
    with sqlite3.connect(path_of(place)) as other:
        found = [id_ for (id_,) in other.execute("SELECT id FROM domain ORDER BY id")]
    other.close()
    return found


async def test_nothing_is_on_disk_before_the_commit(sqlite_place: Place) -> None:
    seen: list[list[int]] = []

    def look(tx: Transaction) -> None:
        add(tx, 1)
        seen.append(on_disk(sqlite_place))

    async with sqlite_place.opened() as database:
        await asyncio.gather(database.write(look), database.write(look_only, sqlite_place, seen))
        assert seen == [[], []]
        assert on_disk(sqlite_place) == [1]


def look_only(tx: Transaction, place: Place, seen: list[list[int]]) -> None:
    """In a savepoint after the first: had that one's RELEASE committed, its row would be here."""
    sql(tx, "SELECT 1")
    seen.append(on_disk(place))


async def test_a_full_disk_fails_the_batch_and_the_next_write_works(sqlite_place: Place) -> None:
    def fill(tx: Transaction) -> None:
        add(tx, 2)
        sql(tx, "INSERT INTO blob VALUES (1, x'', 0, 0, 0, 0, zeroblob(4000000))")

    async with sqlite_place.opened() as database:
        driver = driver_of(engine_of(database)._writer)
        pages = driver.execute("PRAGMA page_count").fetchone()[0]
        driver.execute(f"PRAGMA max_page_count={pages + 5}")
        answers = await asyncio.gather(
            database.write(add, 1), database.write(fill), database.write(add, 3), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [CommitFailed] * 3
        assert on_disk(sqlite_place) == []
        driver.execute("PRAGMA max_page_count=1000000")
        assert await database.write(add, 4) == 4
        assert on_disk(sqlite_place) == [4]


async def test_an_operation_whose_transaction_is_gone_commits_nothing(sqlite_place: Place) -> None:
    """Whatever undid it: the statements after would otherwise commit alone."""

    def undo(tx: Transaction) -> None:
        sql(tx, "ROLLBACK")

    async with sqlite_place.opened() as database:
        answers = await asyncio.gather(
            database.write(add, 1), database.write(undo), database.write(add, 3), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [CommitFailed] * 3
        assert on_disk(sqlite_place) == []
        assert await database.write(add, 4) == 4


async def test_a_reader_cannot_write(sqlite_place: Place) -> None:
    async with sqlite_place.opened() as database:
        with pytest.raises(CommitFailed):
            await database.read(add, 1)
        assert await database.read(ids) == []


@pytest.mark.parametrize("name", ["a b", "100%", "what?", "x#y", "folder'quote"])
async def test_any_folder_will_do(tmp_path: Path, migrated_file: Path, name: str) -> None:
    folder = tmp_path / name
    folder.mkdir()
    path = folder / "mailhost.db"
    path.write_bytes(migrated_file.read_bytes())
    async with Place(path, folder).opened() as database:
        await database.write(add, 1)
        assert await database.read(ids) == [1]


# Threads and deadlines.


@contextmanager
def turns(loop: asyncio.AbstractEventLoop) -> Iterator[list[int]]:
    """How often the loop had its turn meanwhile; counted, as time depends on who else uses the machine."""
    count = [0]

    def tick() -> None:
        count[0] += 1
        handle[0] = loop.call_later(0.001, tick)

    handle: list[asyncio.Handle] = [loop.call_soon(tick)]
    yield count
    handle[0].cancel()


@long
def count_to(tx: Transaction, number: int) -> int:
    rows = sql(
        tx, f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT {number}) SELECT count(*) FROM n"
    )
    assert threading.current_thread() is not threading.main_thread()
    assert isinstance(rows[0][0], int)
    return rows[0][0]


@long
def never_ends(tx: Transaction) -> object:
    return sql(tx, FOR_EVER)


@long
def many_statements(tx: Transaction) -> None:
    while True:
        sql(tx, "SELECT 1")


async def test_the_loop_goes_on_beside_long_operations(sqlite_place: Place) -> None:
    async with sqlite_place.opened() as database:
        for ask in (database.read, database.write):
            with turns(asyncio.get_running_loop()) as count:
                assert await ask(count_to, 3_000_000) == 3_000_000
            assert count[0] > 10  # some hundred on an idle machine; one or two if it were held


async def test_the_loop_is_handed_back_between_the_pieces_of_a_batch(sqlite_place: Place) -> None:
    def some_work(tx: Transaction, id_: int) -> None:
        add(tx, id_)
        sql(tx, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT count(*) FROM n")

    async with sqlite_place.opened() as database:
        with turns(asyncio.get_running_loop()) as count:
            await asyncio.gather(*(database.write(some_work, number) for number in range(1, 251)))
        assert count[0] > 30  # a piece is 2 ms, and an operation here half of one; one or two if a batch were one piece


@pytest.mark.parametrize("operation", [never_ends, many_statements])
async def test_a_long_operation_ends_at_its_deadline(quick: Any, operation: Any) -> None:
    database = quick()
    with pytest.raises(CommitFailed):
        await database.read(operation)
    with pytest.raises(CommitFailed):
        await database.write(operation)
    assert await database.write(add, 1) == 1
    assert await database.read(count_to, 10) == 10
    await database.close()


async def test_a_deadline_does_not_count_the_time_before_the_operation_runs(quick: Any) -> None:
    """Four wait for two threads: the last ones start when the deadline of the first has passed."""
    database = quick()
    answers = await asyncio.gather(
        *(database.read(never_ends) for _ in range(2)),
        *(database.read(count_to, 10) for _ in range(2)),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [CommitFailed, CommitFailed, int, int]
    await database.close()


async def test_a_cancelled_long_read_is_interrupted(sqlite_place: Place) -> None:
    async with sqlite_place.opened() as database:
        reads = [asyncio.create_task(database.read(never_ends)) for _ in range(2)]
        await asyncio.sleep(0)
        for each in reads:
            each.cancel()
        again = asyncio.wait_for(database.read(count_to, 10), 15)
        assert await again == 10  # both threads are free again, long before the deadline of 30 seconds


async def test_closing_does_not_wait_for_a_long_read(sqlite_place: Place) -> None:
    async with sqlite_place.opened() as database:
        reading = asyncio.create_task(database.read(never_ends))
        await asyncio.sleep(0)
        await database.close()
        with pytest.raises(CommitFailed):
            await reading


# Several processes on one file.

WRITE_SOME = """
import asyncio, sys
from pathlib import Path
from mailhost.database.database import Database
from mailhost.database.sqlite import SQLiteEngine
from tests.database.counting import add

async def main(path, first, count):
    database = Database(SQLiteEngine(Path(path)))
    for number in range(first, first + count, 5):
        await asyncio.gather(*(database.write(add, number + each) for each in range(5)))
    await database.close()

asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
"""
HOLD = """
import fcntl, sys
file = open(sys.argv[1])
fcntl.flock(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


async def test_two_processes_both_get_through(sqlite_place: Place) -> None:
    path = str(path_of(sqlite_place))
    others = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", WRITE_SOME, path, str(first), "200")
        for first in (1000, 2000)
    ]
    async with sqlite_place.opened() as database:
        for number in range(1, 201):
            await database.write(add, number)
        assert [await other.wait() for other in others] == [0, 0]
        assert await database.read(ids) == [*range(1, 201), *range(1000, 1200), *range(2000, 2200)]


@contextmanager
def holder(place: Place) -> Iterator[subprocess.Popen[bytes]]:
    """A process that holds the write lock."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock_path(path_of(place)))], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        try:
            yield process
        finally:
            process.kill()


async def test_a_stopped_holder_costs_a_temporary_error_and_no_more(quick: Any, sqlite_place: Place) -> None:
    database = quick()
    with holder(sqlite_place) as process:
        os.kill(process.pid, signal.SIGSTOP)
        for number in (1, 2):
            with pytest.raises(CommitFailed):
                await database.write(add, number)
        assert await database.read(ids) == []
        os.kill(process.pid, signal.SIGCONT)
        process.stdin.close()  # type: ignore[union-attr]  # it is a pipe
        process.wait()
        assert await database.write(add, 3) == 3
    await database.close()
    assert on_disk(sqlite_place) == [3]


async def test_a_turn_that_nobody_wants_any_more_is_passed_on(quick: Any, sqlite_place: Place) -> None:
    """Else an idle process would hold the lock, and stop all others."""
    database = quick()
    other = WriteLock(lock_path(path_of(sqlite_place)))
    assert other.try_acquire()
    with pytest.raises(CommitFailed):
        await database.write(add, 1)
    turn = engine_of(database)._lock._turn
    assert turn is not None
    other.release()
    await turn
    assert other.try_acquire()
    other.close()
    await database.close()


async def test_a_stopped_holder_does_not_keep_us_from_closing(quick: Any, sqlite_place: Place) -> None:
    database = quick()
    await database.write(add, 1)
    with holder(sqlite_place):
        await database.close()
    assert on_disk(sqlite_place) == [1]


async def test_a_program_that_knows_nothing_of_the_lock_is_waited_for(sqlite_place: Place) -> None:
    other = sqlite3.connect(path_of(sqlite_place), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    async with sqlite_place.opened() as database:
        writing = asyncio.create_task(database.write(add, 1))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(asyncio.shield(writing), 0.05)
        other.execute("COMMIT")
        assert await writing == 1
    other.close()


async def test_a_program_that_never_ends_its_transaction_is_a_temporary_error(quick: Any, sqlite_place: Place) -> None:
    other = sqlite3.connect(path_of(sqlite_place), isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    database = quick()
    with pytest.raises(CommitFailed):
        await database.write(add, 1)
    other.execute("COMMIT")
    assert await database.write(add, 2) == 2
    await database.close()
    other.close()


# Checkpoints.


async def test_a_checkpoint_happens_only_under_the_lock(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailhost.database.sqlite.CHECKPOINT_OCTETS", 0)
    held: list[bool] = []
    async with sqlite_place.opened() as database:
        engine = engine_of(database)
        trace(engine, lambda: held.append(is_locked(path_of(sqlite_place))))
        await database.write(add, 1)
        await database.write(add, 2)
    assert len(held) >= 2
    assert all(held)


async def test_no_checkpoint_waits_for_another_process(sqlite_place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailhost.database.sqlite.CHECKPOINT_OCTETS", 0)
    done: list[bool] = []
    async with sqlite_place.opened() as database:
        engine = engine_of(database)
        trace(engine, lambda: done.append(True))
        await database.write(add, 1)
        while engine._log_octets:  # the rest after the first batch
            await asyncio.sleep(0)
        count = len(done)
        engine._log_octets = 1
        with holder(sqlite_place):
            await engine.rest()
            assert len(done) == count
        await engine.rest()
        assert len(done) == count + 1


async def test_sqlite_itself_never_checkpoints(sqlite_place: Place) -> None:
    async with sqlite_place.opened() as database:
        assert await database.write(sql, "PRAGMA wal_autocheckpoint") == [(0,)]
        assert await database.write(sql, "PRAGMA synchronous") == [(2,)]
        assert await database.write(sql, "PRAGMA auto_vacuum") == [(2,)]
        assert await database.write(sql, "PRAGMA journal_mode") == [("wal",)]


def trace(engine: SQLiteEngine, checkpoint: Any) -> None:
    driver_of(engine._writer).set_trace_callback(lambda text: checkpoint() if "wal_checkpoint" in text else None)


def is_locked(path: Path) -> bool:
    probe = WriteLock(lock_path(path))
    free = probe.try_acquire()
    probe.close()
    return not free


async def test_a_fault_in_a_batch_leaves_nothing_open(sqlite_place: Place) -> None:
    async with sqlite_place.opened() as database:
        await asyncio.gather(database.write(add_and_fail, 1), database.write(add_and_fail, 2), return_exceptions=True)
        assert not driver_of(engine_of(database)._writer).in_transaction
        assert not is_locked(path_of(sqlite_place))
