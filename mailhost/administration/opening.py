"""The database as the settings describe it: up to date, and open; for the server and for each command beside it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from mailhost.config.settings import Config
from mailhost.database import open as database
from mailhost.database.database import Database
from mailhost.database.open import DatabaseSettings, OpenDatabase
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.transport.user import become, is_root


@asynccontextmanager
async def open_database(config: Config) -> AsyncIterator[Database]:
    """For a command beside the server. Raises `SchemaTooNew`, `DatabaseUnsafe`, `CommitFailed`.

    Root acts as the server's user: what root made in the folder, the server could not write.
    """
    if is_root() and config.server.user:
        become(config.server.user)
    opened = await connect(config, node=None)
    try:
        yield opened.database
    finally:
        await opened.close()


async def connect(config: Config, node: int | None) -> OpenDatabase:
    """With hints to and from other processes; `node` is the server's number, other programs take a free one."""
    settings = config.database
    where = config.sqlite_path or settings.url
    return await database.open_database(
        DatabaseSettings(where, config.server.data, settings.lock_timeout, settings.statement_timeout, node=node)
    )


def blob_store(config: Config, opened: Database) -> BlobStore:
    """Large messages are files beside SQLite, and rows on PostgreSQL, which several nodes may share."""
    folder = config.server.data / "blobs"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return BlobStore(opened, BlobSettings(folder, config.store.inline_octets, files=config.sqlite_path is not None))
