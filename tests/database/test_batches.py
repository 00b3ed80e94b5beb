"""Group commit and its failure rules, on both engines."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import bindparam, select
from sqlalchemy.exc import IntegrityError

from mailhost.database import database as module
from mailhost.database.batch import Write, run_batch
from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed, Refused, RunAgain
from mailhost.database.hot import Hot
from mailhost.database.marks import ForMany
from mailhost.database.transaction import Transaction
from mailhost.users.tables import domain
from tests.database.counting import Fault, No, add, add_and_fail, add_and_refuse, add_many, add_many_or_fail, ids, sql
from tests.engines import Place


async def together(*writes: Any) -> list[Any]:
    """Asked in one turn of the loop, so they share a batch."""
    return await asyncio.gather(*writes, return_exceptions=True)


class Spy:
    """An engine that counts its batches, and may fail instead of the real one."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.batches: list[int] = []
        self.before: list[BaseException] = []
        self.read, self.rest, self.close = engine.read, engine.rest, engine.close

    async def transact(self, work: Any) -> Any:
        if self.before:
            raise self.before.pop(0)
        outcomes, changes = await self.engine.transact(work)
        self.batches.append(len(outcomes))
        return outcomes, changes


async def test_what_is_written_is_read_at_once(database: Database) -> None:
    assert await database.write(add, 1) == 1
    assert await database.read(ids) == [1]


async def test_a_refusal_undoes_only_its_own_operation_and_its_announcements(database: Database) -> None:
    heard: list[object] = []
    database.subscribe(heard.extend)
    one, refused, three = await together(
        database.write(add, 1), database.write(add_and_refuse, 2), database.write(add, 3)
    )
    assert (one, three) == (1, 3)
    assert isinstance(refused, No)
    assert await database.read(ids) == [1, 3]
    assert heard == [("added", 1), ("added", 3)]


async def test_a_fault_is_its_own_and_the_others_are_run_again(database: Database) -> None:
    heard: list[object] = []
    database.subscribe(heard.extend)
    one, fault, three = await together(database.write(add, 1), database.write(add_and_fail, 2), database.write(add, 3))
    assert (one, three) == (1, 3)
    assert isinstance(fault, Fault)
    assert await database.read(ids) == [1, 3]
    assert heard == [("added", 1), ("added", 3)]


async def test_what_the_database_forbids_is_the_fault_of_its_operation(database: Database) -> None:
    await database.write(add, 1)
    again, two = await together(database.write(add, 1), database.write(add, 2))
    assert isinstance(again, IntegrityError)
    assert "d1" not in str(again)  # what was bound is people's mail, and the log shows errors
    assert two == 2


async def test_wrong_sql_is_a_fault_and_no_trouble_of_the_database(database: Database) -> None:
    wrong, two = await together(database.write(sql, "SELECT nothing FROM nowhere"), database.write(add, 2))
    assert not isinstance(wrong, CommitFailed)
    assert isinstance(wrong, Exception)
    assert two == 2


async def test_a_hot_group_answers_each_request(database: Database) -> None:
    one, refused, three = await together(
        database.write(add_many, 1), database.write(add_many, -2), database.write(add_many, 3)
    )
    assert (one, three) == (1, 3)
    assert isinstance(refused, No)
    assert await database.read(ids) == [1, 3]


async def test_a_hot_group_that_fails_is_run_one_by_one(database: Database) -> None:
    one, fault, three = await together(*(database.write(add_many_or_fail, each) for each in (1, -2, 3)))
    assert (one, three) == (1, 3)
    assert isinstance(fault, Fault)
    assert await database.read(ids) == [1, 3]


async def test_a_refusal_raised_by_a_group_is_heard_by_one(database: Database) -> None:
    def refuse(_: Transaction, requests: Sequence[int]) -> list[int | Refused]:
        if 2 in requests:
            raise No
        return list(requests)

    hot = ForMany(refuse)
    one, two = await together(database.write(hot, 1), database.write(hot, 2))
    assert one == 1
    assert isinstance(two, No)


@pytest.mark.parametrize("result", [StopIteration("x"), ValueError("x"), None])
async def test_any_result_is_a_result(database: Database, result: object) -> None:
    assert await database.write(lambda _: result) is result


async def test_stop_iteration_raised_is_told(database: Database) -> None:
    def stop(_: Transaction) -> None:
        raise StopIteration

    with pytest.raises(RuntimeError):
        await database.write(stop)
    assert await database.write(add, 1) == 1


async def test_cancelled_while_it_waits_it_never_runs(database: Database) -> None:
    first = asyncio.create_task(database.write(add, 1))
    second = asyncio.create_task(database.write(add, 2))
    await asyncio.sleep(0)
    second.cancel()
    assert await first == 1
    assert await database.read(ids) == [1]


async def test_cancelled_in_its_batch_it_commits_unheard(database: Database) -> None:
    ran: list[asyncio.Task[int]] = []

    def operation(tx: Transaction) -> int:
        ran[0].cancel()
        return add(tx, 1)

    ran.append(asyncio.create_task(database.write(operation)))
    with pytest.raises(asyncio.CancelledError):
        await ran[0]
    assert await database.write(add, 2) == 2
    assert await database.read(ids) == [1, 2]


async def test_close_commits_what_waits_and_then_takes_nothing(place: Place) -> None:
    async with place.opened() as database:
        waiting = asyncio.create_task(database.write(add, 1))
        await asyncio.sleep(0)
        await database.close()
        assert await waiting == 1
        with pytest.raises(CommitFailed):
            await database.write(add, 2)
    async with place.opened() as database:
        assert await database.read(ids) == [1]


async def test_when_the_writer_ends_nobody_waits_for_ever(place: Place) -> None:
    database = Database(await place.engine())
    started, go_on = asyncio.Event(), asyncio.Event()

    class Stuck(Spy):
        async def transact(self, work: Any) -> Any:
            started.set()
            await go_on.wait()

    database._engine = Stuck(database._engine)
    under_way = asyncio.create_task(database.write(add, 1))
    await started.wait()
    waiting = asyncio.create_task(database.write(add, 2))
    await asyncio.sleep(0)
    database.writer.cancel()
    for each in (under_way, waiting, asyncio.create_task(database.write(add, 3))):
        with pytest.raises(CommitFailed):
            await each
    await database.close()


async def test_a_failing_listener_loses_no_answer(database: Database) -> None:
    heard: list[object] = []
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))

    def fail(_: object) -> None:
        raise Fault

    database.subscribe(fail)
    database.subscribe(heard.extend)
    assert await database.write(add, 1) == 1
    assert heard == [("added", 1)]
    assert isinstance(told[0]["exception"], Fault)


async def test_listeners_hear_before_the_caller_goes_on(database: Database) -> None:
    order: list[str] = []
    database.subscribe(lambda _: order.append("published"))
    await database.write(add, 1)
    order.append("answered")
    assert order == ["published", "answered"]


async def test_those_just_answered_join_the_next_commit(database: Database) -> None:
    spy = Spy(database._engine)
    database._engine = spy

    async def client(number: int) -> None:
        for turn in range(5):
            await database.write(add, number * 100 + turn)
            if number % 2:  # some ask a turn of the loop later than others
                await asyncio.sleep(0)

    await asyncio.gather(*(client(number) for number in range(1, 11)))
    assert spy.batches == [10] * 5


async def test_a_batch_has_256_operations_at_most(database: Database) -> None:
    spy = Spy(database._engine)
    database._engine = spy
    await together(*(database.write(add_many, number) for number in range(1, 601)))
    assert spy.batches == [256, 256, 88]


class Heavy(int):
    octets = 12 << 20


async def test_a_batch_has_32_mib_at_most(database: Database) -> None:
    spy = Spy(database._engine)
    database._engine = spy
    await together(*(database.write(add_many, Heavy(number)) for number in range(1, 6)))
    assert spy.batches == [2, 2, 1]


class Wide(int):
    rows = 5000


async def test_a_long_write_goes_alone(database: Database) -> None:
    spy = Spy(database._engine)
    database._engine = spy
    await together(
        database.write(add_many, 1),
        database.write(add_many, Wide(2)),
        database.write(add_many, 3),
        database.write(add, 4),
    )
    assert spy.batches == [1, 1, 2]
    assert await database.read(ids) == [1, 2, 3, 4]


async def test_the_batch_is_run_again_when_the_database_asks(database: Database) -> None:
    spy = Spy(database._engine)
    database._engine = spy
    spy.before = [RunAgain("deadlock")] * 3
    assert await together(database.write(add, 1), database.write(add, 2)) == [1, 2]
    assert spy.batches == [2]


async def test_a_batch_that_is_never_let_through_fails(database: Database) -> None:
    spy = Spy(database._engine)
    database._engine = spy
    spy.before = [RunAgain("deadlock")] * module.MOST_TRIES
    one, two = await together(database.write(add, 1), database.write(add, 2))
    assert isinstance(one, CommitFailed)
    assert isinstance(two, CommitFailed)
    assert await database.read(ids) == []


async def test_a_lost_commit_is_never_ok(database: Database) -> None:
    spy = Spy(database._engine)
    database._engine = spy
    spy.before = [CommitFailed("gone")]
    answers = await together(database.write(add, 1), database.write(add_and_refuse, 2))
    assert all(isinstance(answer, CommitFailed) for answer in answers)
    assert await database.read(ids) == []


async def test_a_result_left_open_does_not_make_later_reads_stale(database: Database) -> None:
    held: list[object] = []

    def leave_open(tx: Transaction) -> None:
        result = tx.execute(select(domain.c.id))
        held.extend((result, result.fetchone()))

    for number in range(1, 4):
        await database.write(add, number)
    await database.read(leave_open)
    await database.write(leave_open)
    await database.write(add, 4)
    assert await database.read(ids) == [1, 2, 3, 4]


async def test_a_hot_statement_finds_rows_by_the_names_of_their_columns(database: Database) -> None:
    named = Hot(
        select(domain.c.name, domain.c.id).where(domain.c.id > bindparam("above")).order_by(domain.c.id), "above"
    )

    def found(tx: Transaction) -> list[tuple[int, str]]:
        return [(row.id, row.name) for row in tx.found(named, 1)]

    for number in (1, 2, 3):
        await database.write(add, number)
        assert await database.read(found) == [(id_, f"d{id_}") for id_ in range(2, number + 1)]
    assert await database.write(found) == [(2, "d2"), (3, "d3")]


async def test_a_read_sees_one_snapshot(sqlite_place: Place) -> None:
    assert isinstance(sqlite_place.where, Path)
    other = sqlite3.connect(sqlite_place.where)

    def twice(tx: Transaction) -> list[list[int]]:
        before = ids(tx)
        other.execute("INSERT INTO domain VALUES (2, 'two', 0)")
        other.commit()
        return [before, ids(tx)]

    async with sqlite_place.opened() as database:
        await database.write(add, 1)
        assert await database.read(twice) == [[1], [1]]
        assert await database.read(ids) == [1, 2]
    other.close()


@pytest.mark.postgresql
async def test_a_read_of_postgresql_is_one_snapshot_unless_it_is_one_statement(postgresql_place: Place) -> None:
    async with postgresql_place.opened() as database:
        assert await database.read(sql, "SHOW transaction_isolation") == [("repeatable read",)]
        assert await database.read(sql, "SHOW transaction_read_only") == [("on",)]


class Savepoints:
    """What a batch asks of a transaction."""

    def savepoint(self) -> Any:
        return nullcontext()

    def close_results(self) -> None:
        pass


def test_a_batch_pauses_before_each_piece() -> None:
    async def pieces() -> list[bool]:
        loop = asyncio.get_running_loop()
        hot: ForMany[int, int] = ForMany(lambda _, requests: list(requests))
        writes: list[Any] = [Write(hot, (number,), loop.create_future()) for number in range(100)]
        writes.append(Write(lambda _: None, (), loop.create_future()))
        return list(run_batch(cast("Transaction", Savepoints()), writes))

    assert asyncio.run(pieces()) == [False] * 4
