"""The database as the settings describe it: migrated, open, with hints; for the server and for each command beside it."""

import asyncio
import sqlite3
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from mailhost.database import node
from mailhost.database.database import Database, Engine
from mailhost.database.errors import CommitFailed, DatabaseUnsafe
from mailhost.database.hints import Hints
from mailhost.database.hints_postgresql import PostgreSQLHints
from mailhost.database.hints_unix import UnixHints
from mailhost.database.migrate import migrate_postgresql, migrate_sqlite
from mailhost.database.node import Node
from mailhost.database.postgresql import PostgreSQLEngine, PostgreSQLLimits
from mailhost.database.sqlite import SQLiteEngine, SQLiteLimits
from mailhost.ids import use_node

RUN = "run"


@dataclass(frozen=True, slots=True)
class DatabaseSettings:
    """Where the database is, and its deadlines."""

    where: Path | str
    """A SQLite file, or the URL of a PostgreSQL (`postgresql+asyncpg://...`)."""
    data: Path
    """The data folder; sockets and node numbers are in its `run`."""
    lock: timedelta = timedelta(seconds=5)
    statement: timedelta = timedelta(seconds=30)
    long_statement: timedelta = timedelta(seconds=60)
    node: int | None = None
    """The server's number (0, or one for each server of a PostgreSQL); other programs take a free one."""


@dataclass(frozen=True, slots=True)
class OpenDatabase:
    database: Database
    hints: Hints
    node: Node
    backup: Path | None
    """The copy made before a migration."""

    async def close(self) -> None:
        """Commit all that waits, then stop."""
        await self.database.close()
        await self.hints.close()
        self.node.close()


async def open_database(settings: DatabaseSettings) -> OpenDatabase:
    """Raises `SchemaTooNew`, `DatabaseUnsafe`, `CommitFailed`; each says in one line what to do."""
    if isinstance(settings.where, Path):
        return await _open_sqlite(settings, settings.where)
    return await _open_postgresql(settings, settings.where)


async def _open_sqlite(settings: DatabaseSettings, path: Path) -> OpenDatabase:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = node.claim(settings.data / RUN, settings.node)
    try:
        backup = await asyncio.get_running_loop().run_in_executor(None, migrate_sqlite, path)
        engine = SQLiteEngine(path, SQLiteLimits(settings.lock, settings.statement, settings.long_statement))
    except sqlite3.DatabaseError as error:
        number.close()
        raise _unusable(path, error) from error
    except BaseException:
        number.close()
        raise
    return _opened(engine, UnixHints(settings.data / RUN), number, backup)


def _unusable(path: Path, error: sqlite3.DatabaseError) -> Exception:
    """What does not open: somebody holds it, or it is another's, or no database (any more)."""
    if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return CommitFailed(f"{path}: {error}; end the program that holds it")
    return DatabaseUnsafe(f"{path}: {error}; is it this user's to write, and a whole SQLite database?")


async def _open_postgresql(settings: DatabaseSettings, url: str) -> OpenDatabase:
    limits = PostgreSQLLimits(lock=settings.lock, statement=settings.statement, long_statement=settings.long_statement)
    engine = PostgreSQLEngine(url, limits)
    await engine.open()
    await migrate_postgresql(url)
    number = node.at_random() if settings.node is None else Node(settings.node)
    return _opened(engine, PostgreSQLHints(url), number, None)


def _opened(engine: Engine, hints: Hints, number: Node, backup: Path | None) -> OpenDatabase:
    use_node(number.number)
    database = Database(engine)
    database.subscribe(hints.published)
    return OpenDatabase(database, hints, number, backup)
