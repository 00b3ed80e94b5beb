"""What is late by its sender's own time (DELIVERBY): returned or told of at that moment, once, and by one; on both engines."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mailhost.database.database import Database
from mailhost.events.event import QUEUE_DONE
from mailhost.ids import Millis, now
from mailhost.queue import claims, control, entries, overdue
from mailhost.queue.claims import Claim, Taken
from mailhost.queue.values import Acceptance, Delivery, Share, State
from mailhost.relay import notices as notices_module
from mailhost.relay.clock import Clock
from mailhost.relay.overdue import Overdue
from tests.delivery.building import NOW
from tests.relay.test_notices import BOB, CAROL, World, deferred, status_of, text_of, world
from tests.relay.waiting import all_waiting

MINUTE = 60_000


class At(Clock):
    """A clock that stands where the test puts it."""

    def __init__(self, moment: int) -> None:
        self.moment = moment

    def now(self) -> Millis:
        return Millis(self.moment)


async def office(database: Database, folder: Path, moment: int) -> tuple[World, Overdue]:
    here = await world(database, folder)
    return here, Overdue(database, here.notices, here.notices._events, "late, node 0", At(moment))


async def rows_of(database: Database, sent: Acceptance) -> list[Delivery]:
    return await database.read(entries.of_journey, sent.journey)


async def test_what_is_to_be_returned_goes_back_at_its_time_and_not_before(database: Database, tmp_path: Path) -> None:
    here, late = await office(database, tmp_path, NOW + MINUTE - 1)
    sent, accepted = await here.send(BOB, CAROL, deliver_by=Millis(NOW + MINUTE), by_mode="R", priority=3)
    later = claims.Result(
        accepted.deliveries[0].id, State.WAITING, "4.4.1", "no connection", None, "mx.blue.test",
        Millis(NOW + 1), Millis(NOW + 300 * MINUTE),
    )  # fmt: skip
    await database.write(claims.settle, [later])
    await late.settle_all()
    assert await database.read(entries.states) == {State.WAITING: 2}
    assert await database.read(overdue.next_moment, Millis(NOW)) == NOW + MINUTE
    late._clock = At(NOW + MINUTE)
    await late.settle_all()
    bob, carol = await rows_of(database, sent)
    assert [(row.state, row.status, row.next_try) for row in (bob, carol)] == [(State.EXPIRED, "5.4.7", None)] * 2
    assert carol.reason == "its sender wanted it back when it was not delivered within 60 seconds"
    assert bob.reason == f"{carol.reason}; no connection"
    (notice,) = await here.in_inbox()
    about, *recipients = status_of(notice)
    assert about["Deliver-By-Date"] == "Thu, 28 May 2026 20:27:40 +0000"
    assert [(each["Action"], each["Status"]) for each in recipients] == [("failed", "5.4.7")] * 2
    assert "could not be delivered within the time that was set for it" in text_of(notice).replace("\n    ", " ")
    assert "again and again" not in text_of(notice)
    done = [(event.data["recipient"], event.data["state"]) for event in here.events if event.kind == QUEUE_DONE]
    assert done == [(BOB, "expired"), (CAROL, "expired")]
    await late.settle_all()
    assert len(await here.in_inbox()) == 1
    assert await database.read(overdue.next_moment, Millis(NOW)) is None
    assert not here.faults()


async def test_a_report_has_the_priority_of_what_it_is_about(database: Database, tmp_path: Path) -> None:
    """RFC 6710 section 4.6."""
    here, late = await office(database, tmp_path, NOW + MINUTE)
    await here.send(BOB, deliver_by=Millis(NOW + MINUTE), by_mode="R", priority=3, reverse_path="erin@green.test")
    await late.settle_all()
    (waiting,) = await all_waiting(database)
    assert (waiting.delivery.recipient, waiting.delivery.priority) == ("erin@green.test", 3)
    assert waiting.acceptance.priority == 3


async def test_who_wants_to_be_told_hears_of_it_once_and_it_goes_on(database: Database, tmp_path: Path) -> None:
    here, late = await office(database, tmp_path, NOW + MINUTE)
    sent, _ = await here.send(BOB, CAROL, deliver_by=Millis(NOW + MINUTE), by_mode="NT")
    await late.settle_all()
    await late.settle_all()
    (notice,) = await here.in_inbox()
    _, *recipients = status_of(notice)
    assert [(each["Action"], each["Status"]) for each in recipients] == [("delayed", "4.4.7")] * 2
    text = text_of(notice).replace("\n", " ")
    assert "You asked to hear of it if it was not there by Thu, 28 May 2026 20:27:40 +0000." in text
    rows = await rows_of(database, sent)
    assert [(row.state, row.tries, row.next_try) for row in rows] == [(State.WAITING, 0, NOW)] * 2
    await here.notices.settle(sent, rows, deferred(rows))  # later than the usual warning, too
    assert len(await here.in_inbox()) == 1
    assert await database.read(overdue.next_moment, Millis(NOW)) is None


async def test_a_try_that_fails_after_the_time_tells_of_it_too(database: Database, tmp_path: Path) -> None:
    """Whoever is first: the try here, the task the next time finds it told."""
    here, late = await office(database, tmp_path, NOW + MINUTE + 1)
    sent, accepted = await here.send(BOB, deliver_by=Millis(NOW + MINUTE), by_mode="N")
    rows = accepted.deliveries
    assert not here.notices.follow(sent, rows, deferred(rows, MINUTE - 1))
    await here.notices.settle(sent, rows, deferred(rows, MINUTE))
    assert len(await here.in_inbox()) == 1
    await late.settle_all()
    assert len(await here.in_inbox()) == 1


@pytest.mark.parametrize(
    "how",
    [
        {"notify": "NEVER"},
        {"notify": "FAILURE"},
        {"deliver_by": Millis(NOW - 1)},
        {"reverse_path": ""},
    ],
    ids=["NOTIFY=NEVER", "NOTIFY=FAILURE", "told by another host", "a report"],
)
async def test_who_is_not_to_hear_of_a_delay_hears_nothing(
    database: Database, tmp_path: Path, how: dict[str, Any]
) -> None:
    here, late = await office(database, tmp_path, NOW + MINUTE)
    asked: dict[str, Any] = {"deliver_by": Millis(NOW + MINUTE), "by_mode": "N"}
    await here.send(BOB, **(asked | how))
    await late.settle_all()
    assert await here.in_inbox() == []
    assert await database.read(entries.states) == {State.WAITING: 1}
    assert await database.read(overdue.next_moment, Millis(NOW)) is None
    assert not here.faults()


async def test_what_nobody_is_to_hear_of_ends_at_its_time_all_the_same(database: Database, tmp_path: Path) -> None:
    here, late = await office(database, tmp_path, NOW + MINUTE)
    await here.send(BOB, notify="NEVER", deliver_by=Millis(NOW + MINUTE), by_mode="RT")
    await here.send(BOB, reverse_path="", deliver_by=Millis(NOW + MINUTE), by_mode="R")
    await late.settle_all()
    assert await database.read(entries.states) == {State.EXPIRED: 2}


async def test_what_a_lane_has_under_way_is_left_to_it(database: Database, tmp_path: Path) -> None:
    """It may be with the other host at this moment. When nobody has it any more, its time is over."""
    here, late = await office(database, tmp_path, NOW + MINUTE)
    sent, _ = await here.send(BOB, deliver_by=Millis(NOW + MINUTE), by_mode="R")
    claim = Claim((Share("blue.test"),), "node 0", Millis(NOW), Millis(NOW + 2 * MINUTE), 10)
    taken: Taken = await database.write(claims.take, claim)
    assert len(taken.rows) == 1
    before = Millis(NOW + MINUTE - 1)
    assert await database.read(overdue.next_moment, before) == NOW + MINUTE  # by then it may be free again
    await late.settle_all()
    assert await database.read(overdue.next_moment, late._clock.now()) is None
    assert await database.read(entries.states) == {State.WAITING: 1}
    late._clock = At(NOW + 2 * MINUTE + 1)
    await late.settle_all()
    (row,) = await rows_of(database, sent)
    assert row.state is State.EXPIRED


async def test_no_lane_sends_what_is_being_returned(database: Database, tmp_path: Path) -> None:
    here, _ = await office(database, tmp_path, NOW + MINUTE)
    sent, _ = await here.send(BOB, deliver_by=Millis(NOW + MINUTE), by_mode="R")
    at = Millis(NOW + MINUTE)
    seized = await database.write(overdue.seize, sent.journey, "late, node 0", at, Millis(at + MINUTE))
    assert [row.recipient for row in seized] == [BOB]
    taken: Taken = await database.write(
        claims.take, Claim((Share("blue.test"),), "node 0", at, Millis(at + MINUTE), 10)
    )
    assert taken.rows == []
    assert not await database.write(overdue.seize, sent.journey, "late, node 1", at, Millis(at + MINUTE))


async def test_what_an_administrator_holds_waits_for_him(database: Database, tmp_path: Path) -> None:
    here, late = await office(database, tmp_path, NOW + MINUTE)
    sent, accepted = await here.send(BOB, deliver_by=Millis(NOW + MINUTE), by_mode="R")
    await database.write(control.hold, [accepted.deliveries[0].id])
    await late.settle_all()
    assert await database.read(entries.states) == {State.WAITING: 1}
    await database.write(control.try_at, [accepted.deliveries[0].id], Millis(NOW + MINUTE))
    await late.settle_all()
    assert [row.state for row in await rows_of(database, sent)] == [State.EXPIRED]


async def test_what_waits_for_a_mailbox_here_keeps_the_time_too(database: Database, tmp_path: Path) -> None:
    here, late = await office(database, tmp_path, NOW + 2 * MINUTE)
    held: dict[str, Any] = {"release_at": Millis(NOW + MINUTE), "deliver_by": Millis(NOW + 2 * MINUTE), "by_mode": "R"}
    sent, _ = await here.send("dora@example.org", **held)
    await late.settle_all()
    assert [row.state for row in await rows_of(database, sent)] == [State.EXPIRED]
    assert (len(await here.in_inbox("dora")), len(await here.in_inbox())) == (0, 1)


async def test_one_that_goes_wrong_does_not_stop_the_others(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, late = await office(database, tmp_path, NOW + MINUTE)
    bad, _ = await here.send(BOB, deliver_by=Millis(NOW + MINUTE - 1), by_mode="R")
    good, _ = await here.send(CAROL, deliver_by=Millis(NOW + MINUTE), by_mode="R")
    settle = notices_module.Notices.settle

    async def failing(self: Any, accepted: Acceptance, *rest: Any) -> None:
        if accepted.journey == bad.journey:
            raise RuntimeError("no")
        await settle(self, accepted, *rest)

    monkeypatch.setattr(notices_module.Notices, "settle", failing)
    await late.settle_all()
    assert [row.state for row in await rows_of(database, good)] == [State.EXPIRED]
    assert [row.state for row in await rows_of(database, bad)] == [State.WAITING]
    assert here.faults() == ["late message: RuntimeError('no')"]


@pytest.mark.slow
async def test_a_message_that_comes_in_wakes_it_and_so_does_its_time(database: Database, tmp_path: Path) -> None:
    """The first comes while it sleeps, for a minute as it thinks; the second while it looks, when the first is done."""
    here = await world(database, tmp_path)
    late = Overdue(database, here.notices, here.notices._events, "late, node 0")
    looked, done, mail = asyncio.Event(), asyncio.Semaphore(0), list[Acceptance]()
    read = database.read

    async def send() -> None:
        mail.append((await here.send(BOB, at=now(), deliver_by=Millis(now() + 200), by_mode="R"))[0])

    async def reading(operation: Any, *arguments: Any) -> Any:
        found = await read(operation, *arguments)
        if operation is overdue.next_moment:
            looked.set()
            if len(mail) == 1 and QUEUE_DONE in [event.kind for event in here.events]:
                await send()
        return found

    database.read = reading  # type: ignore[method-assign,assignment]  # it watches
    here.notices._events.subscribe(lambda event: done.release() if event.kind == QUEUE_DONE else None)
    task = asyncio.ensure_future(late.run())
    try:
        await asyncio.wait_for(looked.wait(), 10)
        await send()
        for at in (0, 1):
            await asyncio.wait_for(done.acquire(), 10)
            (row,) = await rows_of(database, mail[at])
            assert row.finished_at is not None
            assert 0 <= row.finished_at - (mail[at].deliver_by or 0) < 2_000
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.slow
async def test_many_finished_ones_do_not_hide_the_one_that_is_late(database: Database, tmp_path: Path) -> None:
    """More than one look finds at a time."""
    here, late = await office(database, tmp_path, NOW + MINUTE)
    for at in range(120):
        await here.send(BOB, notify="NEVER", deliver_by=Millis(NOW + at), by_mode="R")
    await late.settle_all()
    assert await database.read(entries.states) == {State.EXPIRED: 120}
    await here.send(BOB, notify="NEVER", deliver_by=Millis(NOW + MINUTE), by_mode="R")
    await late.settle_all()
    assert await database.read(entries.states) == {State.EXPIRED: 121}
