"""Migrations: brought up to date at start, after a backup; a schema newer than the program is refused."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine, event, text
from sqlalchemy.ext.asyncio import create_async_engine

from mailhost.database.errors import SchemaTooNew
from mailhost.database.sqlite import lock_path

PACKAGE = Path(__file__).parent.parent
PAGE_OCTETS = 8 << 10
"""Of a new SQLite file. Of 4 KiB each message of 2 KiB, compressed, took a page of its own: 5,293 octets a message, now 3,832."""
MIGRATING = 0x6D61696C
"""The advisory lock of PostgreSQL that one migrating node holds."""


def migrate_sqlite(path: Path, scripts: Path | None = None) -> Path | None:
    """Bring the file up to date, and name the backup that was made before (none for a new file).

    All steps are one transaction: a crash leaves the old schema. Raises `SchemaTooNew`. Blocks: call it before the service
    starts, or in a thread.
    """
    with _write_lock(path):
        _prepare_file(path)
        engine = create_engine(f"sqlite:///{path}", creator=lambda: _autocommitting(path), poolclass=NullPool)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN IMMEDIATE"))
        with engine.begin() as connection:
            if not _is_behind(connection, scripts):
                return None
            before = _revision(connection)
            backup = None if before is None else _back_up(path, before)
            _upgrade(connection, scripts)
        return backup


async def migrate_postgresql(url: str, scripts: Path | None = None) -> None:
    """Bring the schema up to date, in one transaction. Raises `SchemaTooNew`. Backups are the database's own business."""
    engine = create_async_engine(url, poolclass=NullPool)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
            await connection.run_sync(_upgrade_if_behind, scripts)
    finally:
        await engine.dispose()


@contextmanager
def _write_lock(path: Path) -> Iterator[None]:
    """The lock that writers take too: of several programs that start at once, one migrates and the others wait."""
    descriptor = os.open(lock_path(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _prepare_file(path: Path) -> None:
    """What must be set before the first table: pages that can be given back, and the write-ahead log."""
    with closing(_autocommitting(path)) as driver:
        if driver.execute("PRAGMA page_count").fetchone()[0] == 0:
            driver.execute(f"PRAGMA page_size={PAGE_OCTETS}")
            driver.execute("PRAGMA auto_vacuum=INCREMENTAL")
        driver.execute("PRAGMA journal_mode=WAL")
    path.chmod(0o600)


def _autocommitting(path: Path) -> sqlite3.Connection:
    """The driver's own default would let each CREATE TABLE commit alone."""
    return sqlite3.connect(path, isolation_level=None)


def _upgrade_if_behind(connection: Connection, scripts: Path | None) -> None:
    if _is_behind(connection, scripts):
        _upgrade(connection, scripts)


def _is_behind(connection: Connection, scripts: Path | None) -> bool:
    directory = ScriptDirectory.from_config(_config(scripts))
    revision, head = _revision(connection), directory.get_current_head()
    if revision == head:
        return False
    if revision is not None and revision not in {script.revision for script in directory.walk_revisions()}:
        raise SchemaTooNew(
            f"the database has schema {revision}, this mailhost knows up to {head}: run the newer mailhost"
        )
    return True


def _upgrade(connection: Connection, scripts: Path | None) -> None:
    config = _config(scripts)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config(scripts: Path | None) -> Config:
    config = Config()
    packaged = PACKAGE / "_migrations"
    folder = scripts or (packaged if packaged.exists() else PACKAGE.parent / "migrations")
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    return config


def _back_up(path: Path, revision: str) -> Path:
    """A consistent copy beside the file, complete and synced before it has its name."""
    backup = path.with_name(f"{path.name}.before-migration-from-{revision}")
    unfinished = backup.with_name(backup.name + ".part")
    unfinished.unlink(missing_ok=True)
    os.close(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
    _sync(unfinished)
    unfinished.replace(backup)
    _sync(path.parent)
    return backup


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
