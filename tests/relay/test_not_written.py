"""The ledger cannot be written just when a host has taken a message: it is written later, and the message is not sent again and again."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailhost.database.database import Database
from mailhost.database.postgresql import PostgreSQLEngine, PostgreSQLLimits
from mailhost.database.sqlite import SQLiteEngine, SQLiteLimits
from mailhost.database.sqlite_files import driver_of
from mailhost.queue.values import State
from mailhost.relay.worker import Settings
from tests.database.proxy import Cut, Proxy
from tests.engines import Place
from tests.relay.hosts import Host, serving, twisted_here
from tests.relay.simulated import to_port, yard

pytestmark = pytest.mark.slow

SHORT = timedelta(milliseconds=100)
FILLS_THE_DISK = """
    CREATE TRIGGER fills BEFORE UPDATE OF state ON delivery WHEN NEW.state <> OLD.state BEGIN
        INSERT INTO blob VALUES (1, x'', 0, 0, 0, 0, zeroblob(4000000));
    END
"""


class Taking(Host):
    """Says when it has a message whole, and answers only when the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.has_all, self.answers = asyncio.Event(), asyncio.Event()

    async def content(self, reader: asyncio.StreamReader) -> bytes:
        taken = await super().content(reader)
        self.has_all.set()
        await self.answers.wait()
        return taken


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


def sqlite_of(place: Place) -> Database:
    assert isinstance(place.where, Path)
    return Database(SQLiteEngine(place.where, SQLiteLimits(SHORT)))


async def test_locked_after_the_hosts_250(sqlite_place: Place, tmp_path: Path) -> None:
    """Once is enough, though its result is written down much later: the relay knows that it was taken."""
    database, host = sqlite_of(sqlite_place), Taking()
    assert isinstance(sqlite_place.where, Path)
    async with twisted_here(), serving(host) as port, yard(database, tmp_path, to_port("blue.test", port)) as red:
        await red.send("a@blue.test")
        await host.has_all.wait()
        with locked(sqlite_place.where):
            host.answers.set()
            await red.until(lambda: len(red.faults) >= 2)
            assert await red.states() == {State.WAITING: 1}
        await red.until(lambda: red.done == 1)
        assert await red.states() == {State.RELAYED: 1}
        assert all("taken by its host" in each and "locked" in each for each in red.faults), red.faults
        await red.send("b@blue.test")
        await red.until(lambda: red.done == 2)
    await database.close()
    assert len(host.contents) == 2


async def test_a_full_disk_lets_claim_but_not_settle(sqlite_place: Place, tmp_path: Path) -> None:
    """Sent again at each try, its recipient would have it a thousand times."""
    database, host = sqlite_of(sqlite_place), Taking()
    engine = database._engine
    assert isinstance(engine, SQLiteEngine)
    driver = driver_of(engine._writer)
    driver.execute(FILLS_THE_DISK)
    async with twisted_here(), serving(host) as port, yard(database, tmp_path, to_port("blue.test", port)) as red:
        await red.send("a@blue.test")
        await host.has_all.wait()
        driver.execute(f"PRAGMA max_page_count={driver.execute('PRAGMA page_count').fetchone()[0] + 50}")
        host.answers.set()
        await red.until(lambda: len(red.faults) >= 3)
        assert "full" in red.faults[0]
        assert await red.states() == {State.WAITING: 1}
        driver.execute("PRAGMA max_page_count=1000000")
        await red.until(lambda: red.done == 1)
        assert await red.states() == {State.RELAYED: 1}
    await database.close()
    assert len(host.contents) == 1


async def test_ended_before_it_could_be_written_it_comes_once_more(sqlite_place: Place, tmp_path: Path) -> None:
    """The one duplicate that nobody can exclude: who has taken a message and who has not written that down die apart."""
    host = Taking()
    assert isinstance(sqlite_place.where, Path)
    async with twisted_here(), serving(host) as port:
        database = sqlite_of(sqlite_place)
        with ExitStack() as stack:
            async with yard(database, tmp_path, to_port("blue.test", port), Settings(grace=SHORT)) as red:
                await red.send("a@blue.test")
                await host.has_all.wait()
                stack.enter_context(locked(sqlite_place.where))
                host.answers.set()
                await red.until(lambda: len(red.faults) >= 1)
        await database.close()
        database = sqlite_of(sqlite_place)
        async with yard(database, tmp_path, to_port("blue.test", port)) as red:
            await red.until(lambda: red.done == 1)
            assert await red.states() == {State.RELAYED: 1}
        await database.close()
    assert len(host.contents) == 2


@pytest.mark.postgresql
@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.AFTER], ids=["lost", "committed"])
async def test_postgresql_goes_away_in_the_commit(postgresql_place: Place, tmp_path: Path, cut: Cut) -> None:
    host = Taking()
    async with Proxy(str(postgresql_place.where)) as proxy, twisted_here(), serving(host) as port:
        engine = PostgreSQLEngine(proxy.url, PostgreSQLLimits(connect=SHORT * 10))
        await engine.open()
        database = Database(engine)
        async with yard(database, tmp_path, to_port("blue.test", port)) as red:
            await red.send("a@blue.test")
            await host.has_all.wait()
            proxy.cut = cut
            host.answers.set()
            await red.until(lambda: red.done == 1)
            assert await red.states() == {State.RELAYED: 1}
        await database.close()
    assert len(host.contents) == 1


@pytest.mark.postgresql
async def test_without_a_database_for_a_while_the_relay_lives_on(postgresql_place: Place, tmp_path: Path) -> None:
    """It cannot be asked who waits for what: it is asked again."""
    host = Host()
    async with Proxy(str(postgresql_place.where)) as proxy, twisted_here(), serving(host) as port:
        engine = PostgreSQLEngine(proxy.url, PostgreSQLLimits(connect=SHORT * 10))
        await engine.open()
        database = Database(engine)
        async with yard(database, tmp_path, to_port("blue.test", port)) as red:
            await red.send("a@blue.test")
            await red.until(lambda: red.done == 1)
            proxy.is_away = True
            proxy.cut_all()
            red.relay.look()
            await red.until(lambda: bool(red.faults))
            proxy.is_away = False
            await red.send("b@blue.test")
            await red.until(lambda: red.done == 2)
        await database.close()
    assert len(host.contents) == 2
