"""SQLite: reads at once in the loop's thread, statements of a write there too, its waits in one writer thread.

Which runs where is decided in this file alone, so that it can be measured again: with all of a write in the thread, 20 busy
connections got 920 accepts a second; with lock, COMMIT and checkpoints in the thread and the rest in the loop, 1,400.
"""

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, NullPool, create_engine, event
from sqlalchemy import Engine as Pool
from sqlalchemy.exc import DBAPIError

from mailhost.database.batch import Outcome, Steps
from mailhost.database.errors import CommitFailed
from mailhost.database.marks import is_long
from mailhost.database.transaction import Transaction

T = TypeVar("T")

PIECE_SECONDS = 0.002
"""The loop is handed back after this much work of one batch."""
CHECKPOINT_OCTETS = 4 << 20
CHECKPOINT_SECONDS = 1.0
ROW_OCTETS = 8 << 10
"""About what one operation adds to the write-ahead log beside its blob."""
TROUBLE = (sqlite3.OperationalError, sqlite3.InterfaceError, sqlite3.InternalError)
"""Of the database, not of the operation: disk full, input/output, locked."""


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
        self._lock = WriteLock(path.with_name(path.name + "-lock"))
        self._writer_thread = ThreadPoolExecutor(1, "sqlite-writer")
        self._reader_thread = ThreadPoolExecutor(1, "sqlite-reader")
        self._writer = _connect(f"sqlite:///{path}", _prepare_writer)
        self._reader = _connect(f"sqlite:///file:{path}?mode=ro&uri=true", _prepare_reader)
        self._long_reader = _connect(f"sqlite:///file:{path}?mode=ro&uri=true", _prepare_reader)
        self._log_octets = 0
        self._checkpointed = time.monotonic()

    async def read(self, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        if is_long(operation):
            return await self._until(
                self._limits.long_read,
                self._reader_thread,
                self._long_reader,
                lambda: _read(self._long_reader, operation, arguments),
            )
        return _read(self._reader, operation, arguments)

    async def transact(self, work: Callable[[Transaction], Steps]) -> tuple[list[Outcome], list[object]]:
        await self._begin()
        tx = Transaction(self._writer, self._in_transaction)
        try:
            outcomes = await self._run(tx, work(tx))
            await self._in_writer_thread(self._commit)
        except BaseException as error:
            self._roll_back(tx)
            if isinstance(error, DBAPIError) and isinstance(error.orig, TROUBLE):
                raise CommitFailed(str(error.orig)) from error
            raise
        finally:
            self._lock.release()
        self._log_octets += sum(outcome.write.octets + ROW_OCTETS for outcome in outcomes)
        return outcomes, tx.changes

    async def rest(self) -> None:
        waited = time.monotonic() - self._checkpointed
        if self._log_octets > CHECKPOINT_OCTETS or (self._log_octets and waited > CHECKPOINT_SECONDS):
            await self._in_writer_thread(self._checkpoint)

    async def close(self) -> None:
        self._reader.close()
        self._long_reader.close()
        await self._in_writer_thread(lambda: self._checkpoint("TRUNCATE"))
        self._writer.close()
        self._writer_thread.shutdown()
        self._reader_thread.shutdown()
        self._lock.close()

    async def _begin(self) -> None:
        """At once where nobody else writes; else the waiting is done in the writer thread, in the order of asking."""
        if self._lock.try_acquire():
            try:
                _driver(self._writer).execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError:  # a program that knows nothing of our lock file
                pass
            else:
                return
        else:
            await self._lock.acquire(self._writer_thread, self._limits.lock)
        try:
            await self._in_writer_thread(self._begin_patiently)
        except sqlite3.Error as error:
            self._lock.release()
            raise CommitFailed(str(error)) from error

    def _begin_patiently(self) -> None:
        driver = _driver(self._writer)
        driver.execute(f"PRAGMA busy_timeout={int(self._limits.lock.total_seconds() * 1000)}")
        try:
            driver.execute("BEGIN IMMEDIATE")
        finally:
            driver.execute("PRAGMA busy_timeout=0")

    async def _run(self, tx: Transaction, steps: Steps) -> list[Outcome]:
        """Piece by piece in the loop's thread; a long operation in the writer thread, with its deadline."""
        started = time.perf_counter()
        piece_is_long = next(steps, None)
        while True:
            try:
                if piece_is_long:
                    piece_is_long = await self._until(
                        self._limits.long_write, self._writer_thread, self._writer, lambda: _advance(steps)
                    )
                else:
                    piece_is_long = _advance(steps)
            except _Finished as finished:
                tx.check()
                return finished.outcomes
            tx.check()
            if time.perf_counter() - started > PIECE_SECONDS:
                await asyncio.sleep(0)
                started = time.perf_counter()

    def _commit(self) -> None:
        if not self._in_transaction():
            raise CommitFailed("the engine has undone the transaction")
        try:
            _driver(self._writer).execute("COMMIT")
        except sqlite3.Error as error:
            raise CommitFailed(str(error)) from error

    def _roll_back(self, tx: Transaction) -> None:
        tx.close_results()
        if self._in_transaction():
            _driver(self._writer).execute("ROLLBACK")

    def _checkpoint(self, mode: str = "PASSIVE") -> None:
        """Only under the lock: SQLite 3.7.0 to 3.51.2 can lose a commit when a checkpoint meets a writer."""
        self._lock.acquire_now()
        try:
            _driver(self._writer).execute(f"PRAGMA wal_checkpoint({mode})").fetchall()
        except sqlite3.OperationalError:
            pass  # a reader is in the way, or the disk is full: the log stays as it is, and nothing is lost
        finally:
            self._lock.release()
        self._log_octets, self._checkpointed = 0, time.monotonic()

    def _in_transaction(self) -> bool:
        return _driver(self._writer).in_transaction

    async def _in_writer_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._writer_thread, call)

    async def _until(
        self, deadline: timedelta, thread: ThreadPoolExecutor, connection: Connection, call: Callable[[], T]
    ) -> T:
        loop = asyncio.get_running_loop()
        timer = loop.call_later(deadline.total_seconds(), _driver(connection).interrupt)
        try:
            return await loop.run_in_executor(thread, call)
        finally:
            timer.cancel()


class WriteLock:
    """An flock in front of every write transaction and checkpoint: processes wait in turn.

    The longest wait was 15 ms; with SQLite's own polling it was 631 ms.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._waiting: asyncio.Future[None] | None = None

    def try_acquire(self) -> bool:
        if self._waiting is not None:
            return False
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def acquire(self, thread: ThreadPoolExecutor, deadline: timedelta) -> None:
        """Raises `CommitFailed` at the deadline; the turn in the queue is kept for the next batch."""
        if self._waiting is None:
            self._waiting = asyncio.get_running_loop().run_in_executor(thread, self.acquire_now)
        done, _ = await asyncio.wait([self._waiting], timeout=deadline.total_seconds())
        if not done:
            raise CommitFailed("another process holds the write lock")
        self._waiting = None

    def acquire_now(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def release(self) -> None:
        if self._waiting is None:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def close(self) -> None:
        os.close(self._file)


class _Finished(Exception):
    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes = outcomes


def _advance(steps: Steps) -> bool:
    try:
        return next(steps)
    except StopIteration as stop:
        raise _Finished(stop.value) from None


def _read(connection: Connection, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    """One snapshot for the whole operation; its results are closed with it, or every later read would be stale."""
    driver = _driver(connection)
    driver.execute("BEGIN")
    tx = Transaction(connection, lambda: driver.in_transaction)
    try:
        return operation(tx, *arguments)
    finally:
        tx.close_results()
        driver.execute("COMMIT")


def _connect(url: str, prepare: Callable[[sqlite3.Connection], None]) -> Connection:
    """The driver in autocommit: its own default opens no transaction at a SAVEPOINT, and lets one commit."""
    pool: Pool = create_engine(
        url,
        poolclass=NullPool,
        isolation_level="AUTOCOMMIT",
        connect_args={"check_same_thread": False, "cached_statements": 512, "timeout": 5},
    )
    event.listen(pool, "connect", lambda driver, _: prepare(driver))
    return pool.connect()


def _driver(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def _prepare_writer(driver: sqlite3.Connection) -> None:
    for pragma in (
        "auto_vacuum=INCREMENTAL",  # takes effect before the first table only
        "journal_mode=WAL",
        "synchronous=FULL",
        "wal_autocheckpoint=0",
        "secure_delete=OFF",
        "foreign_keys=ON",
        "cache_size=-32768",
        "busy_timeout=0",
    ):
        driver.execute(f"PRAGMA {pragma}")


def _prepare_reader(driver: sqlite3.Connection) -> None:
    for pragma in ("query_only=ON", "wal_autocheckpoint=0", "cache_size=-32768"):
        driver.execute(f"PRAGMA {pragma}")
