"""How a SQLite file is opened, and what its errors mean."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.exc import DBAPIError

from mailhost.database.errors import CommitFailed

T = TypeVar("T")

STATEMENTS = 512
"""Prepared statements that a connection keeps."""
OPEN_SECONDS = 5.0
STEPS_PER_LOOK = 10_000
"""Steps of SQLite's machine between two looks at the clock: well under a millisecond."""
TROUBLE = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_PERM,
}  # fmt: skip
"""Of the database, not of the operation: disk full, input/output, locked."""

WRITER = (
    "journal_mode=WAL",
    "synchronous=FULL",
    "wal_autocheckpoint=0",
    "secure_delete=OFF",
    "foreign_keys=ON",
    "cache_size=-32768",
    "busy_timeout=0",
)
READER = ("query_only=ON", "wal_autocheckpoint=0", "cache_size=-32768")


def open_writer(path: Path) -> Connection:
    return _connect(path, "rwc", WRITER)


def open_reader(path: Path) -> Connection:
    """It cannot make the file: open the writer first."""
    return _connect(path, "ro", READER)


def driver_of(connection: Connection) -> sqlite3.Connection:
    return cast("sqlite3.Connection", connection.connection.dbapi_connection)


def within(driver: sqlite3.Connection, is_over: Callable[[], bool], call: Callable[[], T]) -> T:
    """Interrupt the statements of `call` once `is_over`: from inside, so that it never hits another's."""
    driver.set_progress_handler(lambda: int(is_over()), STEPS_PER_LOOK)
    try:
        return call()
    finally:
        driver.set_progress_handler(None, 0)


def verdict(error: BaseException) -> BaseException:
    """The database's own trouble as `CommitFailed`; the fault of an operation as it is."""
    original = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(original, sqlite3.Error):
        code = getattr(original, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in TROUBLE:
            return CommitFailed(str(original))
    return error


def _connect(path: Path, mode: str, pragmas: tuple[str, ...]) -> Connection:
    """The driver in autocommit: its own default opens no transaction at a SAVEPOINT, and lets one commit.

    What is bound stays out of the text of errors, which the log shows: it is people's mail, and the hashes of passwords.
    """

    def connect() -> sqlite3.Connection:
        driver = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode={mode}",
            uri=True,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=STATEMENTS,
            timeout=OPEN_SECONDS,
        )
        for pragma in pragmas:
            driver.execute(f"PRAGMA {pragma}")
        return driver

    return create_engine(
        "sqlite://", creator=connect, poolclass=NullPool, isolation_level="AUTOCOMMIT", hide_parameters=True
    ).connect()
