"""The database as the settings describe it: up to date, and open; for the server and for each command beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mailhost.config.settings import Config
from mailhost.database.database import Database
from mailhost.database.migrate import migrate_postgresql, migrate_sqlite
from mailhost.database.postgresql import PostgreSQLEngine, PostgreSQLLimits
from mailhost.database.sqlite import SQLiteEngine, SQLiteLimits
from mailhost.store.octets import BlobSettings, BlobStore


@asynccontextmanager
async def open_database(config: Config) -> AsyncIterator[Database]:
    """Raises `SchemaTooNew`, `DatabaseUnsafe`, `CommitFailed`."""
    database = await connect(config)
    try:
        yield database
    finally:
        await database.close()


async def connect(config: Config) -> Database:
    settings = config.database
    if config.sqlite_path is not None:
        config.server.data.mkdir(mode=0o700, parents=True, exist_ok=True)
        migrate_sqlite(config.sqlite_path)
        return Database(
            SQLiteEngine(config.sqlite_path, SQLiteLimits(settings.lock_timeout, settings.statement_timeout))
        )
    await migrate_postgresql(settings.url)
    engine = PostgreSQLEngine(
        settings.url, PostgreSQLLimits(lock=settings.lock_timeout, statement=settings.statement_timeout)
    )
    await engine.open()
    return Database(engine)


def blob_store(config: Config, database: Database) -> BlobStore:
    """Large messages are files beside SQLite, and rows on PostgreSQL, which several nodes may share."""
    folder = config.server.data / "blobs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return BlobStore(database, BlobSettings(folder, config.store.inline_octets, files=config.sqlite_path is not None))
