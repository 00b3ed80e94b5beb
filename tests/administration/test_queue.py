"""What an administrator does with the queue, on both engines: returned with its notice, redirected into children, however much waits."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from mailhost.administration import queue
from mailhost.administration.audit import audit
from mailhost.administration.queue import Act, Choice, Done
from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import ONE_COPY
from mailhost.delivery.redirect import Redirected, redirect
from mailhost.delivery.route import resolve
from mailhost.delivery.waiting import WaitingDeliveries
from mailhost.events.event import Events
from mailhost.ids import JourneyId, Millis, now
from mailhost.queue import entries
from mailhost.queue.control import Waiting
from mailhost.queue.tables import delivery
from mailhost.queue.values import Delivery, State
from mailhost.relay.by_hand import ReturnByHand
from mailhost.trace import entries as traces
from mailhost.users import accounts
from tests.relay.test_notices import ALICE, BOB, CAROL, World, status_of, text_of, world

ERIN = "erin@green.test"
DORA = "dora@example.org"


async def bounce(here: World, choice: Choice, why: str = "") -> Done:
    by_hand = ReturnByHand(here.database, here.notices, why)
    return await queue.act(here.database, choice, Act("bounce", words={"reason": why} if why else {}), by_hand.perform)


async def redirected(here: World, choice: Choice, to: str) -> tuple[Done, int]:
    local, _, domain = to.rpartition("@")
    places, _ = await here.database.read(resolve, local, domain)
    circles = []

    async def perform(found: Sequence[Waiting], acts: queue.Traces) -> Any:
        rows = [(each.delivery, each.acceptance) for each in found]
        done: Redirected = await here.database.write(redirect, rows, to, places, acts, now())
        circles.append(done.in_circles)
        return done.done

    return await queue.act(here.database, choice, Act("redirect", words={"to": to}), perform), sum(circles)


async def rows_of(here: World, journey: JourneyId) -> list[Delivery]:
    return await here.database.read(entries.of_journey, journey)


def lease(tx: Transaction, row: Delivery, until: Millis) -> None:
    mine = update(delivery).where(delivery.c.id == row.id)
    tx.execute(mine.values(leased_by="node 7", leased_until=until))


async def test_what_is_returned_is_told_as_any_failure(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, _ = await here.send(BOB, CAROL)
    await here.send(ERIN)
    assert await bounce(here, Choice(destination="blue"), "we know no blue.test") == Done(2, 0)
    (notice,) = await here.in_inbox()
    _, *recipients = status_of(notice)
    assert [each["Final-Recipient"] for each in recipients] == [f"rfc822; {BOB}", f"rfc822; {CAROL}"]
    assert {(each["Action"], each["Status"]) for each in recipients} == {("failed", "5.0.0")}
    assert "returned by the administrator: we know no blue.test" in text_of(notice)
    assert "The administrator of our mail server returned the message" in text_of(notice)
    rows = await rows_of(here, sent.journey)
    assert {(row.state, row.reason) for row in rows} == {
        (State.BOUNCED, "returned by the administrator: we know no blue.test")
    }
    acts = [each.data for each in await database.read(traces.of_journey, sent.journey) if each.kind == "queue.act"]
    assert [(each["act"], each["recipient"]) for each in acts] == [("bounce", BOB), ("bounce", CAROL)]
    assert await database.read(entries.states) == {State.BOUNCED: 2, State.STORED: 1, State.WAITING: 1}
    assert await audit(database, here.blobs) == []


async def test_what_somebody_is_sending_is_left_to_him(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, CAROL)
    await database.write(lease, accepted.deliveries[0], Millis(now() + 60_000))
    assert await bounce(here, Choice()) == Done(1, 1)
    (notice,) = await here.in_inbox()
    assert [each["Final-Recipient"] for each in status_of(notice)[1:]] == [f"rfc822; {CAROL}"]
    assert await redirected(here, Choice(), ERIN) == (Done(0, 1), 0)
    assert await queue.act(database, Choice(), Act("cancel")) == Done(0, 1)
    await database.write(lease, accepted.deliveries[0], Millis(now() - 1))
    assert await bounce(here, Choice()) == Done(1, 0)
    assert {row.state for row in await rows_of(here, sent.journey)} == {State.BOUNCED}


async def test_mail_to_a_dead_host_goes_to_another_address(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, notify="SUCCESS,FAILURE")
    assert await redirected(here, Choice(recipient="bob"), ERIN) == (Done(1, 0), 0)
    parent, child = await rows_of(here, sent.journey)
    assert (parent.state, parent.reason) == (State.EXPANDED, f"redirected to {ERIN} by the administrator")
    assert (child.parent, child.recipient, child.original) == (parent.id, ERIN, BOB)
    assert (child.destination, child.state, child.notify) == ("green.test", State.WAITING, "SUCCESS,FAILURE")
    assert child.id != accepted.deliveries[0].id
    (act,) = await database.read(traces.of_journey, sent.journey)
    assert (act.data["act"], act.data["to"]) == ("redirect", ERIN)
    assert await audit(database, here.blobs) == []


async def test_it_may_go_to_a_mailbox_here_at_once(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, _ = await here.send(BOB)
    await redirected(here, Choice(), DORA)
    assert await WaitingDeliveries(database, here.blobs, Events()).deliver_due() == 1
    _, child = await rows_of(here, sent.journey)
    assert (child.state, child.uid) == (State.STORED, 1)
    (message,) = await here.in_inbox("dora")
    assert message["Delivered-To"] == DORA
    assert await audit(database, here.blobs) == []


async def test_mail_for_later_keeps_its_time(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    later = Millis(now() + 3_600_000)
    sent, _ = await here.send(BOB, release_at=later)
    await redirected(here, Choice(), DORA)
    assert await WaitingDeliveries(database, here.blobs, Events()).deliver_due() == 0
    assert (await rows_of(here, sent.journey))[1].next_try == later


async def test_an_alias_stands_for_all_of_its_members(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    for member in (DORA, ERIN):
        await database.write(accounts.add_alias, "team", "example.org", member, now())
    sent, _ = await here.send(BOB, notify="SUCCESS,FAILURE")
    assert await redirected(here, Choice(), "team@example.org") == (Done(1, 0), 0)
    parent, *children = await rows_of(here, sent.journey)
    assert {(row.recipient, row.notify, row.parent) for row in children} == {
        (DORA, "FAILURE", parent.id),
        (ERIN, "FAILURE", parent.id),
    }


async def test_nobody_gets_a_message_twice(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, _ = await here.send(BOB, CAROL, "frank@blue.test", ERIN)
    assert await redirected(here, Choice(destination="blue"), ERIN) == (Done(3, 0), 0)
    rows = await rows_of(here, sent.journey)
    assert [row.recipient for row in rows if row.state is State.WAITING] == [ERIN]
    gone = [row for row in rows if row.state is State.DISCARDED]
    assert len(gone) == 3
    assert {row.reason for row in gone} == {ONE_COPY}
    other, _ = await here.send(BOB, CAROL)
    await redirected(here, Choice(ids=(other.journey,)), ERIN)
    children = [row for row in await rows_of(here, other.journey) if row.parent is not None]
    assert sorted(row.state for row in children) == [State.WAITING, State.DISCARDED]
    assert await audit(database, here.blobs) == []


async def test_mail_does_not_go_in_circles(database: Database, tmp_path: Path) -> None:
    """Neither to whom it is for, nor back to whom it was for, nor to the alias that it comes from."""
    here = await world(database, tmp_path)
    await database.write(accounts.add_alias, "team", "example.org", BOB, now())
    sent, _ = await here.send("team@example.org")
    assert await redirected(here, Choice(), BOB) == (Done(0, 1), 1)
    assert await redirected(here, Choice(), "team@example.org") == (Done(0, 1), 1)
    assert await redirected(here, Choice(), CAROL) == (Done(1, 0), 0)
    assert await redirected(here, Choice(), BOB) == (Done(0, 1), 1)
    assert [row.recipient for row in await rows_of(here, sent.journey) if row.state is State.WAITING] == [CAROL]


@pytest.mark.parametrize("page", [1, 3, 100])
async def test_each_act_is_done_to_all(database: Database, tmp_path: Path, monkeypatch: Any, page: int) -> None:
    """In pages, in which recipients of one message stay together: it has one notice."""
    monkeypatch.setattr(queue, "PAGE", page)
    monkeypatch.setattr(queue, "WINDOW", 4)
    here = await world(database, tmp_path)
    for number in range(3):
        await here.send(*(f"{name}@{domain}.test" for name in f"abc{number}" for domain in ("blue", "green")))
    heard: list[Waiting] = []
    for name in ("hold", "release", "retry"):
        heard.clear()
        assert await queue.act(database, Choice(), Act(name), hear=heard.extend) == Done(24, 0)
        assert len({each.delivery.id for each in heard}) == 24
    assert await queue.act(database, Choice(destination="green"), Act("cancel")) == Done(12, 0)
    assert await bounce(here, Choice()) == Done(12, 0)
    assert [len(status_of(each)) - 1 for each in await here.in_inbox()] == [4, 4, 4]
    assert len(await database.read(traced)) == 24 * 4 + 3 * 2
    assert await audit(database, here.blobs) == []


def traced(tx: Transaction) -> list[int]:
    from mailhost.trace.tables import event

    return list(tx.execute(select(event.c.id).where(event.c.kind.in_(["queue.act", "notice.sent"]))).scalars())


async def test_a_list_pages_through_all_and_counts(database: Database, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(queue, "PAGE", 2)
    monkeypatch.setattr(queue, "WINDOW", 3)
    here = await world(database, tmp_path)
    for _ in range(5):
        await here.send(BOB, CAROL, ERIN)
    pages = [[each.delivery.recipient for each in page] async for page in queue.waiting(database, Choice())]
    assert pages == [[BOB, CAROL, ERIN]] * 5
    assert await queue.count(database, Choice(destination="blue")) == 10
    (group,), total = await queue.groups(database, Choice(), 1)
    assert (group.destination, group.count, total) == ("blue.test", 10, 2)


async def test_the_answers_of_one_destination_are_told_apart(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    _, accepted = await here.send(BOB, CAROL)
    first, second = accepted.deliveries
    for row, status, reply in ((first, "4.7.1", "450 4.7.1 Greylisted"), (second, "4.2.2", "452 4.2.2 Full")):
        await database.write(answered, row, status, reply)
    groups, _ = await queue.groups(database, Choice(), 10)
    assert {(each.count, each.status, each.reply) for each in groups} == {
        (1, "4.7.1", "450 4.7.1 Greylisted"),
        (1, "4.2.2", "452 4.2.2 Full"),
    }


def answered(tx: Transaction, row: Delivery, status: str, reply: str) -> None:
    mine = update(delivery).where(delivery.c.id == row.id)
    tx.execute(mine.values(reason="asked to come again", status=status, last_reply=reply, tries=1))


async def test_a_blocked_port_is_known_to_other_processes_until_it_is_open(database: Database, tmp_path: Path) -> None:
    from mailhost.events.event import PORT_BLOCKED, PORT_OPEN
    from mailhost.trace.recorder import Recorder

    here = await world(database, tmp_path)
    events = Events()
    recorder = Recorder(database, events)
    events.subscribe(recorder)
    assert not await queue.is_blocked(database, "no mail host")
    _, accepted = await here.send(BOB)
    assert not await queue.is_blocked(database, "no mail host")
    await database.write(because, accepted.deliveries[0], "silent; no mail host answers")
    assert await queue.is_blocked(database, "no mail host")  # without a single event
    for kind, blocked in ((PORT_BLOCKED, True), (PORT_OPEN, False), (PORT_BLOCKED, True)):
        events.publish(kind, cause="x")
        await recorder.flush()
        assert await queue.is_blocked(database, "no mail host") is blocked
    await database.write(because, accepted.deliveries[0], "greylisted")
    assert not await queue.is_blocked(database, "no mail host")


def because(tx: Transaction, row: Delivery, reason: str) -> None:
    tx.execute(update(delivery).where(delivery.c.id == row.id).values(reason=reason))


async def test_nobody_is_told_of_what_has_no_sender(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    await here.send(BOB, reverse_path="")
    assert await bounce(here, Choice()) == Done(1, 0)
    assert await database.read(entries.states) == {State.BOUNCED: 1}
    assert ALICE and await here.in_inbox() == []
