"""The sweeper takes what is over its time, and nothing else."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mailhost.administration.sweeper import IN_USE, Sweeper, SweepSettings, Swept
from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.database.transaction import Transaction
from mailhost.ids import DeliveryId, EventId, JourneyId, Millis, Uid, fresh, now
from mailhost.message.form import Form
from mailhost.queue import entries
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.store import blobs, mailboxes, messages
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.store.tables import blob, blob_chunk, expunged_message, message
from mailhost.store.values import Place, PreparedBlob
from mailhost.trace import entries as trace_entries
from mailhost.trace.values import Entry
from tests.store.building import account_with, check, count_rows, fill, new
from tests.store.building import blob as make_blob
from tests.store.test_surrogates import with_surrogate

DAY = timedelta(days=1)
NOTHING = Swept(0, 0, 0, 0)


class Clock:
    def __init__(self) -> None:
        self.at = now()

    def __call__(self) -> Millis:
        return self.at

    def go_on(self, time: timedelta) -> None:
        self.at = Millis(self.at + int(time.total_seconds() * 1000))


@pytest.fixture
def clock() -> Clock:
    return Clock()


class World:
    def __init__(self, database: Database, folder: Path, clock: Clock) -> None:
        self.database, self.clock = database, clock
        self.store = BlobStore(database, BlobSettings(folder))
        self.sweeper = Sweeper(database, self.store, SweepSettings(rows=2), clock)

    async def after(self, time: timedelta) -> Swept:
        self.clock.go_on(time)
        return await self.sweeper.sweep()


@pytest.fixture
def world(tmp_path: Path, clock: Clock) -> Iterator[Any]:
    made: list[World] = []

    def make(database: Database) -> World:
        made.append(World(database, tmp_path / "blobs", clock))
        return made[-1]

    yield make
    for each in made:
        each.store.close()


async def accept(database: Database, *states: State, at: Millis) -> PreparedBlob:
    its = make_blob()

    def insert(tx: Transaction) -> None:
        journey = JourneyId(fresh())
        blobs.insert_many(tx, [its])
        entry = Acceptance(journey, at, "peer", "helo", None, "a@b", its.id, b"", 1)
        rows = [
            Delivery(
                DeliveryId(fresh()),
                journey,
                None,
                "x@y",
                "x@y",
                "y",
                state,
                finished_at=None if state is State.WAITING else at,
            )
            for state in states
        ]
        entries.insert_many(tx, [entry], rows)

    await database.write(insert)
    return its


async def test_an_expunged_message_goes_when_its_time_is_over_and_its_blob_with_it(
    database: Database, world: Any, clock: Clock
) -> None:
    its = world(database)
    _, [key] = await account_with(database, "A")
    uids = await fill(database, key, 5)
    await database.write(messages.expunge, key, uids[:3], clock.at)
    assert await its.after(6 * DAY) == NOTHING
    assert await database.read(count_rows, expunged_message, message, blob) == [3, 5, 5]
    assert await its.after(2 * DAY) == Swept(3, 0, 3, 0)
    assert await database.read(count_rows, expunged_message, message, blob) == [0, 2, 2]
    assert set((await check(database, key)).rows) == set(uids[3:])
    assert await its.after(DAY) == NOTHING


async def test_content_stays_while_another_mailbox_has_it(database: Database, world: Any, clock: Clock) -> None:
    its = world(database)
    account, [key, other, third] = await account_with(database, "A", "B", "C")
    uids = await fill(database, key, 2)
    await database.write(messages.copy, key, uids[:1], other, clock.at)
    copied = await database.write(messages.copy, key, uids[1:], third, clock.at)
    await database.write(messages.expunge, key, uids, clock.at)
    clock.go_on(4 * DAY)
    await database.write(messages.expunge, third, copied.targets, clock.at)  # rests still when the first is forgotten
    assert await its.after(4 * DAY) == Swept(2, 0, 0, 0)
    assert len(await database.read(messages.locate, other, uids[:1])) == 1
    assert len(await database.read(messages.locate, third, copied.targets)) == 1
    await database.write(mailboxes.remove, account, "B", clock.at)
    assert await its.after(8 * DAY) == Swept(2, 0, 2, 0)
    assert await database.read(count_rows, expunged_message, message, blob) == [0, 0, 0]


async def test_a_surrogate_goes_with_the_last_copy_of_its_message_and_its_blob_too(
    database: Database, world: Any, clock: Clock
) -> None:
    its = world(database)
    _, [key, other] = await account_with(database, "A", "B")
    await database.write(messages.append, with_surrogate(key, Form.UTF8))
    await fill(database, key, 1)
    copied = await database.write(messages.copy, key, [Uid(1)], other, clock.at)
    await database.write(messages.expunge, key, [Uid(1)], clock.at)
    assert await its.after(8 * DAY) == Swept(1, 0, 0, 0)
    assert await database.read(count_rows, message, blob) == [3, 3]
    assert len(await database.read(messages.locate, other, copied.targets)) == 1
    await database.write(messages.expunge, other, copied.targets, clock.at)
    assert await its.after(6 * DAY) == NOTHING
    assert await its.after(2 * DAY) == Swept(1, 0, 2, 0)
    assert await database.read(count_rows, expunged_message, message, blob) == [0, 1, 1]


async def test_finished_deliveries_go_and_waiting_ones_stay(database: Database, world: Any, clock: Clock) -> None:
    its = world(database)
    waiting = await accept(database, State.WAITING, State.STORED, at=clock.at)
    for _ in range(3):
        await accept(database, State.RELAYED, State.CANCELLED, at=clock.at)
    await accept(database, State.BOUNCED, at=clock.at)  # its sender has not heard of it yet: its text is needed for that
    assert await its.after(2 * timedelta(hours=1)) == Swept(0, 0, 3, 0)
    assert await database.read(count_rows, acceptance, delivery) == [5, 9]
    assert await its.after(31 * DAY) == Swept(0, 4, 1, 0)
    assert await database.read(count_rows, acceptance, delivery) == [1, 2]
    assert await database.read(blobs.file_ids, [waiting.id]) == {waiting.id}


async def test_what_finished_late_stays_its_time(database: Database, world: Any, clock: Clock) -> None:
    its = world(database)
    await accept(database, State.WAITING, at=clock.at)
    clock.go_on(5 * DAY)
    [waiting] = await database.read(entries.of_journey, (await database.read(only_journey)))
    await database.write(entries.finish, replace(waiting, state=State.RELAYED, finished_at=clock.at))
    assert (await its.after(26 * DAY)).acceptances == 0
    assert (await its.after(5 * DAY)).acceptances == 1


def only_journey(tx: Transaction) -> int:
    return int(tx.execute(select(acceptance.c.id)).scalar_one())


async def test_a_blob_just_made_is_left_alone(database: Database, world: Any) -> None:
    its = world(database)
    await database.write(lambda tx: blobs.insert_many(tx, [make_blob()]))
    assert await its.sweeper.sweep() == NOTHING
    assert await its.after(DAY) == Swept(0, 0, 1, 0)


async def test_chunks_and_files_go_with_their_blob(database: Database, world: Any, tmp_path: Path) -> None:
    its = world(database)
    chunked, filed = make_blob(bytes(600_000), Place.CHUNKED), make_blob(b"x", Place.FILE)
    path = its.store.path_of(filed.id)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    await database.write(lambda tx: blobs.insert_many(tx, [chunked, filed]))
    assert (await its.after(2 * timedelta(hours=1))).blobs == 2
    assert await database.read(count_rows, blob, blob_chunk) == [0, 0]
    assert not path.exists()


async def test_a_file_without_a_row_goes_after_a_day_and_one_with_a_row_stays(database: Database, world: Any) -> None:
    its = world(database)
    kept = make_blob(b"kept", Place.FILE)
    orphan, strange = make_blob(b"orphan", Place.FILE), its.store.settings.folder / "zz" / "not-ours"
    for path in (its.store.path_of(kept.id), its.store.path_of(orphan.id), strange):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    await keep(database, kept)
    assert await its.after(timedelta(hours=23)) == NOTHING
    assert await its.after(timedelta(hours=2)) == Swept(0, 0, 0, 1)
    assert not its.store.path_of(orphan.id).exists()
    assert its.store.path_of(kept.id).exists()
    assert strange.exists()


async def test_a_file_that_is_written_still_stays_however_long_its_message_takes(
    database: Database, world: Any, clock: Clock
) -> None:
    its = world(database)
    slow = its.store.path_of(make_blob(b"slow", Place.FILE).id)
    slow.parent.mkdir(parents=True, exist_ok=True)
    slow.write_bytes(b"")
    written = clock.at / 1000 + 2 * 3600
    os.utime(slow, (written, written))
    assert await its.after(timedelta(hours=25)) == NOTHING
    assert slow.exists()


async def test_a_message_whose_file_was_taken_away_is_never_sealed(database: Database, world: Any) -> None:
    its = world(database)
    incoming = its.store.incoming()
    await incoming.write(b"x" * 100_000)
    (path,) = its.store.settings.folder.glob("??/*")
    path.unlink()
    with pytest.raises(OSError, match="taken away"):
        await incoming.finish()
    await incoming.discard()


async def test_a_file_that_cannot_be_removed_does_not_stop_the_sweeper(database: Database, world: Any) -> None:
    its = world(database)
    folder, orphan = (its.store.path_of(make_blob(name, Place.FILE).id) for name in (b"folder", b"orphan"))
    folder.mkdir(parents=True)
    orphan.parent.mkdir(parents=True, exist_ok=True)
    orphan.write_bytes(b"")
    await its.after(timedelta(hours=25))
    assert folder.exists()
    assert not orphan.exists()


async def keep(database: Database, its: PreparedBlob) -> None:
    _, [key] = await account_with(database, "K")
    append = new(key)
    await database.write(messages.append, replace(append, blob=its, message=replace(append.message, blob=its.id)))


async def test_a_blob_that_is_named_meanwhile_stays(database: Database, world: Any) -> None:
    """Found dead by the read, in use at the write."""
    world(database)
    its = make_blob()
    await keep(database, its)
    removed = await database.write(blobs.remove_unused, IN_USE, [its.id])
    assert removed.count == 0
    assert await database.read(blobs.file_ids, [its.id]) == {its.id}


async def test_a_sweep_goes_on_where_the_last_one_ended(database: Database, world: Any, clock: Clock) -> None:
    its = world(database)
    its.sweeper = Sweeper(database, its.store, SweepSettings(rows=2, windows=1), clock)
    for _ in range(5):
        await database.write(lambda tx: blobs.insert_many(tx, [make_blob()]))
    assert (await its.after(DAY)).blobs == 2
    assert (await its.sweeper.sweep()).blobs == 2
    assert (await its.sweeper.sweep()).blobs == 1


async def test_the_sweeper_outlives_a_database_that_cannot_be_written(database: Database, world: Any) -> None:
    its = world(database)
    its.sweeper = Sweeper(database, its.store, SweepSettings(every=timedelta(0)))
    tries: list[int] = []
    again = asyncio.Event()

    async def fail() -> Swept:
        tries.append(1)
        if len(tries) > 1:
            again.set()
        raise CommitFailed

    its.sweeper.sweep = fail
    task = asyncio.create_task(its.sweeper.run())
    await again.wait()
    assert not task.done()
    task.cancel()


async def test_events_go_when_their_time_is_over(database: Database, world: Any, clock: Clock) -> None:
    its = world(database)
    for _ in range(5):
        entry = Entry(EventId(fresh()), clock.at, "refused", {}, about="a@b.example")
        await database.write(trace_entries.insert_many, [entry])
    assert await its.after(29 * DAY) == NOTHING
    assert (await its.after(2 * DAY)).events == 5
    assert await database.read(trace_entries.about, ("a@b.example",), 10) == []
