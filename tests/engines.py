"""Both engines for the tests of database, store and administration: a test that takes `database` runs on each."""

import asyncio
import inspect
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailhost.database.database import Database, Engine
from mailhost.database.migrate import migrate_postgresql, migrate_sqlite
from mailhost.database.postgresql import PostgreSQLEngine
from mailhost.database.sqlite import SQLiteEngine

TEST_SECONDS = 120


@dataclass(frozen=True)
class Place:
    """A migrated, empty database, and how it is opened."""

    where: Path | str
    folder: Path

    @property
    def is_sqlite(self) -> bool:
        return isinstance(self.where, Path)

    async def engine(self) -> Engine:
        if isinstance(self.where, Path):
            return SQLiteEngine(self.where)
        engine = PostgreSQLEngine(self.where)
        await engine.open()
        return engine

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Database]:
        database = Database(await self.engine())
        try:
            yield database
        finally:
            await database.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "mailhost.db"
    migrate_sqlite(path)
    return path


@pytest.fixture
def sqlite_place(migrated_file: Path, tmp_path: Path) -> Place:
    path = tmp_path / "mailhost.db"
    shutil.copy(migrated_file, path)
    return Place(path, tmp_path)


@pytest.fixture
def postgresql_place(postgresql_cluster: Any, tmp_path: Path) -> Iterator[Place]:
    name = postgresql_cluster.create_like("mailhost", lambda url: asyncio.run(migrate_postgresql(url)))
    yield Place(postgresql_cluster.url(name), tmp_path)
    postgresql_cluster.drop(name)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def place(request: pytest.FixtureRequest) -> Place:
    found: Place = request.getfixturevalue(f"{request.param}_place")
    return found


@pytest.fixture
def database(place: Place) -> Place:
    """The test itself gets the `Database`, opened in its own loop: see `run_with_database`."""
    return place


def run_with_database(pyfuncitem: pytest.Function) -> bool | None:
    """For a `pytest_pyfunc_call`: a coroutine test, its database opened before it and closed after it."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = inspect.signature(pyfuncitem.obj).parameters
    arguments = {name: value for name, value in pyfuncitem.funcargs.items() if name in wanted}
    asyncio.run(asyncio.wait_for(_run(pyfuncitem.obj, arguments), TEST_SECONDS))
    return True


async def _run(test: Any, arguments: dict[str, Any]) -> None:
    if "database" not in arguments:
        await test(**arguments)
        return
    async with arguments["database"].opened() as database:
        await test(**{**arguments, "database": database})
