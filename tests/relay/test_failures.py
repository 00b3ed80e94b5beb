"""Many failures of one message are few notices, and a crash loses none of them: on both engines."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.ids import Millis, now
from mailhost.queue import entries
from mailhost.queue.tables import delivery
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.relay.failures import FailuresTold
from mailhost.relay.gathering import Gathering
from mailhost.relay.notices import Notices, NoticeSettings
from mailhost.relay.schedule import Schedule
from tests.relay.test_notices import World, bounced, deferred, status_of, world

MANY = [f"x{number}@blue.test" for number in range(25)]
MINUTE = timedelta(minutes=1)


class Office:
    """A server whose failures are gathered, and which can crash."""

    def __init__(self, here: World) -> None:
        self.here = here
        self.moment = Millis(now())
        self.start()

    def start(self) -> None:
        here = self.here
        self.gathering = Gathering(MINUTE, lambda: self.moment)
        settings = NoticeSettings("mx.example.org")
        parts = here.database, here.blobs, here.directory, here.events_of
        self.notices = Notices(*parts, Schedule(), settings, gathering=self.gathering)
        self.task = FailuresTold(here.database, self.notices, self.gathering, here.events_of)

    async def fails(self, sent: Acceptance, rows: Sequence[Delivery]) -> None:
        await self.notices.settle(sent, rows, bounced(rows))

    async def after(self, wait: timedelta) -> list[int]:
        """How many recipients each notice tells of, in the inbox of who sent it."""
        self.moment = Millis(self.moment + wait // timedelta(milliseconds=1))
        await self.task.tell_due()
        return [len(status_of(each)) - 1 for each in await self.here.in_inbox()]


def batches(rows: Sequence[Delivery]) -> list[Sequence[Delivery]]:
    return [rows[at : at + 10] for at in range(0, len(rows), 10)]


async def office(database: Database, folder: Path) -> Office:
    its = Office(await world(database, folder))
    assert await its.after(timedelta(0)) == []
    return its


async def test_batches_of_one_message_are_one_notice(database: Database, tmp_path: Path) -> None:
    its = await office(database, tmp_path)
    sent, accepted = await its.here.send(*MANY)
    for some in batches(accepted.deliveries):
        assert await its.here.in_inbox() == []
        await its.fails(sent, some)
    assert await its.after(timedelta(0)) == [25]  # the last one waits for nobody
    assert await its.after(MINUTE) == [25]
    assert not its.here.faults()


async def test_the_only_failure_is_told_with_its_result(database: Database, tmp_path: Path) -> None:
    its = await office(database, tmp_path)
    sent, accepted = await its.here.send(*MANY[:1])
    await its.fails(sent, accepted.deliveries)
    assert len(await its.here.in_inbox()) == 1
    sent, accepted = await its.here.send(*MANY[:2])
    await its.notices.settle(sent, accepted.deliveries[:1], deferred(accepted.deliveries[:1], at=0))
    await database.write(next_try, accepted.deliveries[0], Millis(now() + 3_600_000))
    await its.fails(sent, accepted.deliveries[1:])  # the other one waits for its time: nobody is on his way
    assert len(await its.here.in_inbox()) == 2


async def test_failures_do_not_wait_long_for_one_that_hangs(database: Database, tmp_path: Path) -> None:
    its = await office(database, tmp_path)
    sent, accepted = await its.here.send(*MANY)
    await its.fails(sent, accepted.deliveries[:20])
    assert await its.after(MINUTE / 2) == []
    assert await its.after(MINUTE / 2) == [20]
    await its.fails(sent, accepted.deliveries[20:24])
    assert await its.after(MINUTE / 2) == [20]
    assert await its.after(MINUTE / 2) == [20, 4]
    await its.fails(sent, accepted.deliveries[24:])
    assert await its.after(MINUTE) == [20, 4]  # the last one is no exception: it might be of ten thousand
    assert await its.after(MINUTE) == [20, 4, 1]


async def test_a_crash_loses_no_failure_and_tells_none_twice(database: Database, tmp_path: Path) -> None:
    its = await office(database, tmp_path)
    sent, accepted = await its.here.send(*MANY)
    other, also = await its.here.send(*MANY, reverse_path="")
    never, not_told = await its.here.send(*MANY, notify="NEVER")
    await its.fails(sent, accepted.deliveries[:20])
    await its.fails(other, also.deliveries)
    await its.fails(never, not_told.deliveries)
    its.start()
    assert await its.after(timedelta(0)) == [20]
    its.start()
    assert await its.after(timedelta(0)) == [20]
    await its.fails(sent, accepted.deliveries[20:])
    assert len(await its.here.in_inbox()) == 2


async def test_who_heard_of_the_delay_hears_of_the_failures_together(database: Database, tmp_path: Path) -> None:
    its = await office(database, tmp_path)
    sent, accepted = await its.here.send(*MANY)
    await its.notices.settle(sent, accepted.deliveries, deferred(accepted.deliveries))
    assert await its.after(timedelta(0)) == [25]
    rows = await database.read(entries.of_journey, sent.journey)
    for row in rows:
        await database.write(next_try, row, Millis(0))
    for some in batches([replace(row, told_at=Millis(1)) for row in rows]):
        await its.fails(sent, some)
    assert await its.after(timedelta(0)) == [25, 25]


async def test_what_nobody_may_hear_is_not_asked_again(database: Database, tmp_path: Path) -> None:
    its = await office(database, tmp_path)
    content = b"Content-Type: multipart/report; boundary=x\r\n\r\n"
    sent, accepted = await its.here.send(*MANY, content=content)
    for some in batches(accepted.deliveries):
        await its.fails(sent, some)
    for _ in range(2):
        assert await its.after(timedelta(0)) == []
        its.start()
    assert its.here.withheld() == ["it is a report itself"]
    assert await database.read(told) == {0}


async def test_the_octets_stay_until_the_notice_has_gone(database: Database, tmp_path: Path) -> None:
    its = await office(database, tmp_path)
    sent, accepted = await its.here.send(*MANY)
    await its.fails(sent, accepted.deliveries[:20])
    await database.write(cancel, accepted.deliveries[20:])
    assert await database.read(in_use) == [sent.blob]
    assert await its.after(MINUTE) == [20]
    assert await database.read(in_use) == []


def next_try(tx: Transaction, row: Delivery, at: Millis) -> None:
    tx.execute(update(delivery).where(delivery.c.id == row.id).values(next_try=at))


def cancel(tx: Transaction, rows: Sequence[Delivery]) -> None:
    for row in rows:
        entries.cancel(tx, row.id, "cancelled", now())


def told(tx: Transaction) -> set[int | None]:
    return set(tx.execute(select(delivery.c.told_at).where(delivery.c.state == State.BOUNCED)).scalars())


def in_use(tx: Transaction) -> list[int]:
    return list(tx.execute(entries.blobs_in_use()).scalars())


@pytest.mark.slow
async def test_ten_thousand_dead_addresses_are_one_notice(database: Database, tmp_path: Path) -> None:
    its = await office(database, tmp_path)
    sent, accepted = await its.here.send(*(f"x{number}@d{number % 100}.test" for number in range(10_000)))
    rows = accepted.deliveries
    for at in range(0, len(rows), 100):
        await its.fails(sent, rows[at : at + 100])
    assert await its.after(timedelta(0)) == [10_000]
    assert not its.here.faults()
