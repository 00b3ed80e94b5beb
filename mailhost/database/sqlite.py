"""SQLite: reads at once in the loop's thread, statements of a write there too, its waits in one writer thread.

Which runs where is decided in this file alone, so that it can be measured again: with all of a write in the thread, 20 busy
connections got 920 accepts a second; with lock, COMMIT and checkpoints in the thread and the rest in the loop, 1,400.
"""

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from sqlalchemy import Connection

from mailhost.database.batch import Outcome, Steps
from mailhost.database.errors import CommitFailed
from mailhost.database.lock import WriteLock
from mailhost.database.marks import is_long
from mailhost.database.sqlite_files import driver_of, open_reader, open_writer, verdict, within
from mailhost.database.thread import Thread
from mailhost.database.transaction import Transaction

T = TypeVar("T")

PIECE_SECONDS = 0.002
"""The loop is handed back after this much work of one batch."""
CHECKPOINT_OCTETS = 4 << 20
CHECKPOINT_SECONDS = 1.0
ROW_OCTETS = 8 << 10
"""About what one operation adds to the write-ahead log beside its blob."""
LONG_READERS = 2


@dataclass(frozen=True, slots=True)
class SQLiteLimits:
    """The deadlines of a write are the engine's, never its caller's."""

    lock: timedelta = timedelta(seconds=5)
    long_read: timedelta = timedelta(seconds=30)
    long_write: timedelta = timedelta(seconds=60)


class SQLiteEngine:
    """One file, in WAL mode with `synchronous=FULL`. Never on NFS."""

    def __init__(self, path: Path, limits: SQLiteLimits | None = None) -> None:
        self._limits = limits or SQLiteLimits()
        self._lock = WriteLock(lock_path(path))
        self._writer_thread = Thread("sqlite-writer")
        self._reader_threads = ThreadPoolExecutor(LONG_READERS, "sqlite-reader")
        self._writer = open_writer(path)
        self._reader = open_reader(path)
        self._long_readers: SimpleQueue[Connection] = SimpleQueue()
        for _ in range(LONG_READERS):
            self._long_readers.put(open_reader(path))
        self._stopping = threading.Event()
        self._log_octets = 0
        self._checkpointed = time.monotonic()

    async def read(self, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        if is_long(operation, arguments):
            return await self._read_in_thread(operation, arguments)
        return _read(self._reader, operation, arguments)

    async def transact(self, work: Callable[[Transaction], Steps]) -> tuple[list[Outcome], list[object]]:
        hurry = Hurry(self._limits.long_write)
        tx = Transaction(self._writer, self._in_transaction, hurry, SQLiteDriver(driver_of(self._writer)))
        try:
            await self._begin()
            outcomes = await self._run(tx, work(tx), hurry)
            await self._writer_thread.run(self._commit)
        except BaseException as error:
            self._roll_back(tx)
            raise verdict(error) from error
        finally:
            self._lock.release()
        self._log_octets += sum(outcome.write.octets + ROW_OCTETS for outcome in outcomes)
        return outcomes, tx.changes

    async def rest(self) -> None:
        waited = time.monotonic() - self._checkpointed
        due = self._log_octets > CHECKPOINT_OCTETS or (self._log_octets and waited > CHECKPOINT_SECONDS)
        if due and self._lock.try_acquire():  # else somebody else writes now, and we come again after our next batch
            await self._writer_thread.run(self._checkpoint)

    async def close(self) -> None:
        self._stopping.set()
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, self._reader_threads.shutdown)
        await self._checkpoint_at_the_end()
        for connection in (self._reader, *(self._long_readers.get_nowait() for _ in range(LONG_READERS)), self._writer):
            connection.close()
        await loop.run_in_executor(None, self._writer_thread.shutdown)
        self._lock.close()

    # A write.

    async def _begin(self) -> None:
        """At once where nobody else writes; else the waiting is done in threads, in the order of asking."""
        if not self._lock.try_acquire():
            await self._lock.acquire(self._limits.lock)
        try:
            driver_of(self._writer).execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:  # a program that knows nothing of our lock file
            await self._writer_thread.run(self._begin_patiently)

    def _begin_patiently(self) -> None:
        driver = driver_of(self._writer)
        driver.execute(f"PRAGMA busy_timeout={int(self._limits.lock.total_seconds() * 1000)}")
        try:
            driver.execute("BEGIN IMMEDIATE")
        except sqlite3.Error as error:
            raise CommitFailed(str(error)) from error
        finally:
            driver.execute("PRAGMA busy_timeout=0")

    async def _run(self, tx: Transaction, steps: Steps, hurry: "Hurry") -> list[Outcome]:
        """Piece by piece in the loop's thread; a long operation in the writer thread, with its deadline."""
        started = time.perf_counter()
        try:
            piece_is_long = _advance(steps)
            while True:
                if piece_is_long:
                    piece_is_long = await self._run_long(steps, hurry)
                else:
                    piece_is_long = _advance(steps)
                tx.check()
                if time.perf_counter() - started > PIECE_SECONDS:
                    await asyncio.sleep(0)
                    started = time.perf_counter()
        except _Finished as finished:
            tx.check()
            return finished.outcomes

    async def _run_long(self, steps: Steps, hurry: "Hurry") -> bool:
        def piece() -> bool:
            with hurry:
                return within(driver_of(self._writer), hurry.is_over, lambda: _advance(steps))

        return await self._writer_thread.run(piece)

    def _commit(self) -> None:
        if not self._in_transaction():
            raise CommitFailed("the engine has undone the transaction")
        try:
            driver_of(self._writer).execute("COMMIT")
        except sqlite3.Error as error:
            raise CommitFailed(str(error)) from error

    def _roll_back(self, tx: Transaction) -> None:
        tx.close_results()
        if self._in_transaction():
            try:
                driver_of(self._writer).execute("ROLLBACK")
            except sqlite3.Error as error:
                raise CommitFailed(str(error)) from error

    def _in_transaction(self) -> bool:
        return driver_of(self._writer).in_transaction

    # Checkpoints, only under the lock: SQLite 3.7.0 to 3.51.2 can lose a commit when one meets a writer.

    def _checkpoint(self, mode: str = "PASSIVE") -> None:
        try:
            driver_of(self._writer).execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.Error:
            pass  # a reader is in the way, or the disk is full: the log stays as it is, and nothing is lost
        finally:
            self._lock.release()
        self._log_octets, self._checkpointed = 0, time.monotonic()

    async def _checkpoint_at_the_end(self) -> None:
        try:
            await self._lock.acquire(self._limits.lock)
        except CommitFailed:
            return  # the log is whole without it
        await self._writer_thread.run(lambda: self._checkpoint("TRUNCATE"))

    # Threads.

    async def _read_in_thread(self, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        hurry = Hurry(self._limits.long_read, self._stopping)

        def call() -> T:
            reader = self._long_readers.get()
            try:
                with hurry:
                    return within(driver_of(reader), hurry.is_over, lambda: _read(reader, operation, arguments, hurry))
            finally:
                self._long_readers.put(reader)

        try:
            return await asyncio.get_running_loop().run_in_executor(self._reader_threads, call)
        except asyncio.CancelledError:
            hurry.stop()
            raise


def lock_path(path: Path) -> Path:
    return path.with_name(path.name + "-lock")


class SQLiteDriver:
    """Straight to the driver: 30 us a statement less than by way of SQLAlchemy."""

    __slots__ = ("_driver",)

    def __init__(self, driver: sqlite3.Connection) -> None:
        self._driver = driver

    def run(self, sql: str) -> None:
        self._driver.execute(sql)

    def run_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._driver.executemany(sql, rows)

    def rows(self, sql: str, values: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        return self._driver.execute(sql, values).fetchall()


class Hurry:
    """The deadline of a long operation. It counts while the operation runs, not while it waits for a thread."""

    def __init__(self, limit: timedelta, *events: threading.Event) -> None:
        self._limit = limit.total_seconds()
        self._until: float | None = None
        self._stopped = False
        self._events = events

    def __enter__(self) -> None:
        self._until = time.monotonic() + self._limit

    def __exit__(self, *_: object) -> None:
        self._until = None

    def stop(self) -> None:
        """Nobody waits for it any more."""
        self._stopped = True

    def is_over(self) -> bool:
        late = self._until is not None and time.monotonic() > self._until
        return late or self._stopped or any(event.is_set() for event in self._events)

    def __call__(self) -> None:
        if self._until is not None and self.is_over():
            raise CommitFailed("the operation took too long")


class _Finished(Exception):
    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes = outcomes


def _advance(steps: Steps) -> bool:
    try:
        return next(steps)
    except StopIteration as stop:
        raise _Finished(stop.value) from None


def _read(
    connection: Connection,
    operation: Callable[..., T],
    arguments: tuple[Any, ...],
    hurry: Callable[[], None] = lambda: None,
) -> T:
    """One snapshot for the whole operation; its results are closed with it, or every later read would be stale."""
    driver = driver_of(connection)
    tx = Transaction(connection, lambda: driver.in_transaction, hurry, SQLiteDriver(driver))
    try:
        driver.execute("BEGIN")
        return operation(tx, *arguments)
    except Exception as error:
        raise verdict(error) from error
    finally:
        tx.close_results()
        if driver.in_transaction:
            driver.execute("COMMIT")
