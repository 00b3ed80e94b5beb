"""Migrations: brought up to date at start, after a backup; a schema newer than the program is refused."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from mailhost.database.errors import SchemaTooNew

PACKAGE = Path(__file__).parent.parent


def migrate_sqlite(path: Path) -> Path | None:
    """Bring the file up to date, and name the backup that was made before (none for a new file).

    Raises `SchemaTooNew`. Blocks: call it before the service starts, or in a thread.
    """
    prepare_file(path)
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.connect() as connection:
        before = _revision(connection)
        if not _is_behind(connection):
            return None
        backup = _back_up(path, before) if before is not None else None
        _upgrade(connection)
        connection.commit()
    return backup


async def migrate_postgresql(url: str) -> None:
    """Bring the schema up to date. Raises `SchemaTooNew`. Backups are the database's own business."""
    engine = create_async_engine(url, poolclass=NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_upgrade_if_behind)
        await connection.commit()
    await engine.dispose()


def prepare_file(path: Path) -> None:
    """What must be set before the first table: pages that can be given back, and the write-ahead log."""
    with closing(sqlite3.connect(path, isolation_level=None)) as driver:
        driver.execute("PRAGMA auto_vacuum=INCREMENTAL")
        driver.execute("PRAGMA journal_mode=WAL")


def _upgrade_if_behind(connection: Connection) -> None:
    if _is_behind(connection):
        _upgrade(connection)


def _is_behind(connection: Connection) -> bool:
    scripts = ScriptDirectory.from_config(_config())
    revision = _revision(connection)
    if revision == scripts.get_current_head():
        return False
    known = {script.revision for script in scripts.walk_revisions()}
    if revision is not None and revision not in known:
        raise SchemaTooNew(
            f"the database has schema {revision}, this mailhost knows up to {scripts.get_current_head()}: run the newer mailhost"
        )
    return True


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _config() -> Config:
    config = Config()
    packaged = PACKAGE / "_migrations"
    config.set_main_option("script_location", str(packaged if packaged.exists() else PACKAGE.parent / "migrations"))
    return config


def _back_up(path: Path, revision: str) -> Path:
    """A consistent copy beside the file, complete and synced before it has its name."""
    backup = path.with_name(f"{path.name}.before-migration-from-{revision}")
    unfinished = backup.with_name(backup.name + ".part")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(unfinished)) as target:
        source.backup(target)
    unfinished.replace(backup)
    return backup
