"""What is special in PostgreSQL: connections that break, and transactions that are to run again."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import NullPool, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed, DatabaseUnsafe
from mailhost.database.marks import long
from mailhost.database.postgresql import PostgreSQLEngine, PostgreSQLLimits
from mailhost.database.transaction import Transaction
from tests.database.counting import add, add_and_refuse, ids, sql
from tests.database.proxy import Cut, Proxy
from tests.engines import Place

pytestmark = pytest.mark.postgresql


async def run_sql(place: Place, statement: str) -> list[Any]:
    assert isinstance(place.where, str)
    engine = create_async_engine(place.where, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        result = await connection.execute(text(statement))
        rows = list(result) if result.returns_rows else []
    await engine.dispose()
    return rows


KILL_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()"


LEFT_OPEN = "SELECT pid FROM pg_stat_activity WHERE backend_xid IS NOT NULL AND datname = current_database()"


async def test_a_connection_killed_between_batches_costs_nothing(postgresql_place: Place) -> None:
    async with postgresql_place.opened() as database:
        await database.write(add, 1)
        await database.read(ids)
        await run_sql(postgresql_place, KILL_ALL)
        assert await database.read(ids) == [1]
        assert await database.write(add, 2) == 2
        assert await database.read(ids) == [1, 2]


def kill_me(tx: Transaction) -> None:
    sql(tx, "SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_connection_killed_within_a_batch_fails_all_of_it(postgresql_place: Place) -> None:
    async with postgresql_place.opened() as database:
        answers = await asyncio.gather(
            database.write(add, 1), database.write(kill_me), database.write(add, 3), return_exceptions=True
        )
        assert [type(answer) for answer in answers] == [CommitFailed] * 3
        assert await database.write(add, 4) == 4
        assert await database.read(ids) == [4]


@pytest.mark.parametrize("cut", [Cut.BEFORE, Cut.SILENT])
async def test_a_commit_that_did_not_arrive_is_not_ok(postgresql_place: Place, cut: Cut) -> None:
    assert isinstance(postgresql_place.where, str)
    async with Proxy(postgresql_place.where) as proxy:
        database = Database(PostgreSQLEngine(proxy.url))
        await database.write(add, 1)
        proxy.cut = cut
        with pytest.raises(CommitFailed):
            await database.write(add, 2)
        assert await run_sql(postgresql_place, LEFT_OPEN) == []  # nothing that could commit after our answer
        assert await database.write(add, 3) == 3
        assert await database.read(ids) == [1, 3]
        await database.close()


async def test_a_commit_that_arrived_is_ok_though_its_answer_was_lost(postgresql_place: Place) -> None:
    assert isinstance(postgresql_place.where, str)
    async with Proxy(postgresql_place.where) as proxy:
        database = Database(PostgreSQLEngine(proxy.url))
        heard: list[object] = []
        database.subscribe(heard.extend)
        await database.write(add, 1)
        proxy.cut = Cut.AFTER
        assert await database.write(add, 2) == 2
        assert heard == [("added", 1), ("added", 2)]
        assert await database.read(ids) == [1, 2]
        await database.close()


async def test_a_server_killed_in_commit_is_asked_what_became_of_it(postgresql_place: Place) -> None:
    """A deferred trigger makes COMMIT itself slow enough to be killed in."""
    await run_sql(
        postgresql_place,
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
    )
    await run_sql(
        postgresql_place,
        "CREATE CONSTRAINT TRIGGER t AFTER INSERT ON domain DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION die()",
    )
    async with postgresql_place.opened() as database:
        with pytest.raises(CommitFailed):
            await database.write(add, 1)
        await run_sql(postgresql_place, "DROP TRIGGER t ON domain")
        assert await database.write(add, 2) == 2
        assert await database.read(ids) == [2]


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_the_batch_runs_again_and_refuses_nobody(postgresql_place: Place, state: str) -> None:
    await run_sql(postgresql_place, "CREATE SEQUENCE asked")
    tries: list[int] = []

    def conflict(tx: Transaction) -> int:
        tries.append(1)
        raise_until = "DO $$ BEGIN IF nextval('asked') < 3 THEN RAISE EXCEPTION USING ERRCODE = '%s'; END IF; END $$"
        sql(tx, raise_until % state)
        return add(tx, 2)

    async with postgresql_place.opened() as database:
        answers = await asyncio.gather(database.write(add, 1), database.write(conflict), database.write(add, 3))
        assert list(answers) == [1, 2, 3]
        assert len(tries) == 3
        assert await database.read(ids) == [1, 2, 3]


async def test_two_nodes_that_deadlock_both_get_through(postgresql_place: Place) -> None:
    def touch(tx: Transaction, first: int, second: int) -> None:
        for id_ in (first, second):
            sql(tx, f"UPDATE domain SET created_at = created_at + 1 WHERE id = {id_}")
            sql(tx, "SELECT pg_sleep(0.05)")

    async with postgresql_place.opened() as one, postgresql_place.opened() as other:
        await one.write(add, 1)
        await one.write(add, 2)
        await asyncio.gather(one.write(touch, 1, 2), other.write(touch, 2, 1))
        assert await one.read(sql, "SELECT created_at FROM domain") == [(2,), (2,)]


async def test_a_lock_that_another_holds_is_a_temporary_error(postgresql_place: Place) -> None:
    assert isinstance(postgresql_place.where, str)
    limits = PostgreSQLLimits(lock=timedelta(milliseconds=100))
    database = Database(PostgreSQLEngine(postgresql_place.where, limits))
    await database.write(add, 1)
    engine = create_async_engine(postgresql_place.where, poolclass=NullPool)
    async with engine.begin() as connection:
        await connection.execute(text("LOCK TABLE domain"))
        with pytest.raises(CommitFailed):
            await database.write(add, 2)
    await engine.dispose()
    assert await database.write(add, 3) == 3
    await database.close()


@long
def slow(tx: Transaction, seconds: float) -> None:
    sql(tx, f"SELECT pg_sleep({seconds})")


def slow_and_short(tx: Transaction, seconds: float) -> None:
    slow(tx, seconds)


async def test_statements_have_deadlines_and_long_ones_a_longer_one(postgresql_place: Place) -> None:
    assert isinstance(postgresql_place.where, str)
    limits = PostgreSQLLimits(statement=timedelta(milliseconds=100), long_statement=timedelta(seconds=20))
    database = Database(PostgreSQLEngine(postgresql_place.where, limits))
    for way in (database.read, database.write):
        await way(slow, 0.3)
        with pytest.raises(CommitFailed):
            await way(slow_and_short, 0.3)
    assert await database.write(add, 1) == 1
    await database.close()


async def test_a_transaction_that_ended_by_itself_is_no_commit(postgresql_place: Place) -> None:
    def end(tx: Transaction) -> None:
        sql(tx, "COMMIT")

    async with postgresql_place.opened() as database:
        answers = await asyncio.gather(database.write(end), database.write(add, 3), return_exceptions=True)
        assert all(isinstance(answer, CommitFailed) for answer in answers)
        assert await database.write(add, 4) == 4
        assert await database.read(ids) == [4]


async def test_a_refusal_after_a_failed_statement_is_undone_by_its_savepoint(postgresql_place: Place) -> None:
    async with postgresql_place.opened() as database:
        answers = await asyncio.gather(
            database.write(add, 1), database.write(add_and_refuse, 2), database.write(add, 3), return_exceptions=True
        )
        assert (answers[0], answers[2]) == (1, 3)


async def test_a_server_that_answers_before_it_is_durable_is_refused(
    postgresql_place: Place, postgresql_cluster: Any
) -> None:
    name = str(postgresql_place.where).rsplit("/", 1)[1]
    await run_sql(postgresql_place, f"ALTER DATABASE {name} SET synchronous_commit = off")
    async with postgresql_place.opened() as database:  # each of our connections asks for "on" itself
        assert await database.read(sql, "SHOW synchronous_commit") == [("on",)]
    await run_sql(postgresql_place, "ALTER SYSTEM SET fsync = off")
    await run_sql(postgresql_place, "SELECT pg_reload_conf()")
    try:
        with pytest.raises(DatabaseUnsafe, match="fsync=off"):
            for _ in range(100):
                async with postgresql_place.opened():
                    await asyncio.sleep(0.05)
    finally:
        await run_sql(postgresql_place, "ALTER SYSTEM RESET fsync")
        await run_sql(postgresql_place, "SELECT pg_reload_conf()")


@pytest.mark.parametrize("url", ["postgresql+asyncpg://postgres:wrong@127.0.0.1:1/none"])
async def test_no_server_is_one_clear_error(url: str) -> None:
    with pytest.raises(CommitFailed):
        await PostgreSQLEngine(url).open()


async def test_a_wrong_password_is_one_clear_error(postgresql_place: Place) -> None:
    assert isinstance(postgresql_place.where, str)
    url = make_url(postgresql_place.where).set(password="wrong").render_as_string(False)
    with pytest.raises(CommitFailed, match="password"):
        await PostgreSQLEngine(url).open()
