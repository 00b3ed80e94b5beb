"""Two nodes on one PostgreSQL carry the mail of one ledger: none twice, none left, whichever of them dies."""

import asyncio
import json
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select

from mailhost.administration.opening import open_database
from mailhost.config.load import load
from mailhost.queue.tables import delivery
from tests.journeys.administrator import add, mailhost
from tests.journeys.crowd import WELCOMES
from tests.journeys.far_side import FarSide, address
from tests.journeys.test_relay_kill import (
    WRITER,
    abroad,
    arrived,
    check_copies,
    check_ends,
    send,
    submission,
    submitters,
    told_failed,
    until_held,
    wait_until_empty,
    when_all_is_told,
)
from tests.service import END_SECONDS, Server, serving

pytestmark = [pytest.mark.service, pytest.mark.postgresql]

NAME = "writer-1-3000"
TO = address("ok", NAME, "blue.test")


@pytest.fixture
def shared(postgresql_url: str) -> str:
    return f'database.url="{postgresql_url}"'


@contextmanager
def node(folder: Path, number: int, *settings: str) -> Iterator[Server]:
    """Its own data folder; the database is everybody's."""
    with serving(folder / f"node{number}", f"server.node={number}", *settings) as server:
        yield server


def send_some(server: Server, names_: Sequence[str]) -> list[str]:
    """Answers with their recipients."""
    recipients = [address("ok", each, "blue.test") for each in names_]
    with submission(server) as client:
        for name, recipient in zip(names_, recipients, strict=True):
            send(client, name, [recipient])
    return recipients


def send_one(server: Server) -> None:
    with submission(server) as client:
        send(client, NAME, [TO])


def until_said(far: FarSide, count: int) -> None:
    deadline = time.monotonic() + END_SECONDS
    while sum(talk.said for talk in far.conversations) < count:
        assert time.monotonic() < deadline, far.conversations
        time.sleep(0.01)


def names(settings: Sequence[str], host: str) -> tuple[str, ...]:
    """The same settings, with another name in EHLO."""
    return tuple(f"server.host={host}" if each.startswith("server.host=") else each for each in settings)


def test_both_carry_and_nothing_goes_twice(tmp_path: Path, shared: str) -> None:
    with (
        abroad(tmp_path) as (far, _, settings),
        node(tmp_path, 1, *names(settings, "mx1.red.test"), shared) as one,
        node(tmp_path, 2, *names(settings, "mx2.red.test"), shared) as two,
    ):
        add(one, WRITER)
        with submitters(2) as (scene, at_one), submitters(2, "other") as (other_scene, at_two):
            scene.begin(one)
            other_scene.begin(two)
            scene.wait_for(150)
            other_scene.wait_for(150)
        wait_until_empty(two)
        inbox = when_all_is_told(two)
        audit = json.loads(mailhost(one, "audit", "--json"))
    check_copies(far)
    notices = told_failed(inbox)
    check_ends(far, [*at_one, *at_two], notices)
    states = {"relayed": len(arrived(far)), "bounced": len(notices), "stored": WELCOMES + len(inbox)}
    assert (audit["findings"], audit["recipients"], audit["accepted"]) == ([], states, sum(states.values()))
    assert {talk.hello for talk in far.conversations if talk.said} == {"mx1.red.test", "mx2.red.test"}


def test_what_a_node_accepts_wakes_the_relay_of_another(tmp_path: Path, shared: str) -> None:
    """By a hint: it would look by itself after a third of its lease, in five minutes."""
    with (
        abroad(tmp_path) as (far, _, settings),
        node(tmp_path, 1, *settings, shared) as one,
        node(tmp_path, 2, *settings, "relay.enabled=false", shared) as two,
    ):
        add(one, WRITER)
        send_one(two)
        until_said(far, 1)
        wait_until_empty(two)
    assert arrived(far) == {TO: 1}


def test_what_a_dead_node_had_goes_by_another_when_its_lease_is_over(tmp_path: Path, shared: str) -> None:
    with (
        abroad(tmp_path) as (far, zone, settings),
        node(tmp_path, 1, *names(settings, "mx1.red.test"), "relay.lease=4s", shared) as one,
        node(tmp_path, 2, *names(settings, "mx2.red.test"), "relay.lease=4s", shared) as two,
    ):
        add(one, WRITER)
        far.hold = "dot"
        send_one(one)
        until_held(far, zone, "dot")
        holder, other = (one, two) if far.conversations[-1].hello == "mx1.red.test" else (two, one)
        time.sleep(8)  # it lives, and holds on to what it has: two leases long nobody else takes it
        assert len(far.conversations) == 1
        holder.kill()
        far.life = 1
        until_said(far, 1)
        wait_until_empty(other)
    assert arrived(far) == {TO: 2}


def test_what_a_dead_node_had_is_its_own_when_it_starts_again(tmp_path: Path, shared: str) -> None:
    """It waits for no lease, and the other one has not touched it."""
    with abroad(tmp_path) as (far, zone, settings), node(tmp_path, 1, *settings, shared) as one:
        add(one, WRITER)
        far.hold = "dot"
        send_one(one)
        until_held(far, zone, "dot")
        with node(tmp_path, 2, *names(settings, "mx2.red.test"), shared) as two:
            one.kill()
            far.life = 1
            with node(tmp_path, 1, *names(settings, "mx1.red.test"), shared):
                until_said(far, 1)
                wait_until_empty(two)
    assert arrived(far) == {TO: 2}
    assert [talk.hello for talk in far.conversations if talk.said] == ["mx1.red.test"]


def test_a_node_that_slept_through_its_lease_sends_nothing_that_others_have_sent(tmp_path: Path, shared: str) -> None:
    """As a machine that was suspended. Only what was under way when it fell asleep comes twice."""
    slow = ("relay.lease=2s", "relay.most_connections=1")
    with (
        abroad(tmp_path) as (far, zone, settings),
        node(tmp_path, 1, *settings, *slow, shared) as one,
    ):
        add(one, WRITER)
        far.hold = "dot"
        first, *others = send_some(one, [f"writer-{number}-3000" for number in range(1, 7)])
        until_held(far, zone, "dot")
        until_claimed(one, 6)
        one.process.send_signal(signal.SIGSTOP)
        with node(tmp_path, 2, *settings, *slow, shared) as two:
            until_said(far, 6)
            wait_until_empty(two)
            one.process.send_signal(signal.SIGCONT)
            far.let_go()
            (last,) = send_some(one, ["writer-7-3000"])
            until_said(far, 8)
            wait_until_empty(two)
    assert arrived(far) == {first: 2} | dict.fromkeys([*others, last], 1)
    assert "relay.slept" in one.log()


def until_claimed(server: Server, count: int) -> None:
    """So many recipients are in the node's hands."""
    deadline = time.monotonic() + END_SECONDS
    while asyncio.run(leased(server)) < count:
        assert time.monotonic() < deadline


async def leased(server: Server) -> int:
    async with open_database(load(Path(str(server.facts["config"])))) as database:
        return await database.read(
            lambda tx: int(tx.execute(select(func.count()).where(delivery.c.leased_by.is_not(None))).scalar_one())
        )
