"""The machine's clock is set, forward or back, while the relay works: nothing is lost, nothing goes twice, nothing is forgotten."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from mailhost.database.database import Database
from mailhost.ids import Millis
from mailhost.queue import control, entries
from mailhost.queue.values import Acceptance, Delivery, State
from tests.relay.hosts import Host, serving, twisted_here
from tests.relay.simulated import Yard, to_port, yard

pytestmark = pytest.mark.slow

DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


class Patient(Host):
    """Keeps the first message waiting for its answer until it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.holds, self.release = asyncio.Event(), asyncio.Event()

    async def content(self, reader: asyncio.StreamReader) -> bytes:
        taken = await super().content(reader)
        if not self.holds.is_set():
            self.holds.set()
            await self.release.wait()
        return taken


class Busy(Host):
    """Asks the first to come again."""

    def __init__(self) -> None:
        super().__init__(["8BITMIME"])

    def _usual(self, verb: str, extensions: list[str]) -> str:
        is_first = sum(line.startswith("RCPT") for line in self.heard) == 1
        return "450 4.7.1 come again" if verb == "RCPT" and is_first else super()._usual(verb, extensions)


async def row(red: Yard, one: Acceptance) -> Delivery:
    (found,) = await red.database.read(entries.of_journey, one.journey)
    return found


async def deferred(red: Yard) -> Delivery:
    """Of a message that was asked to come again."""
    one = await red.send("a@blue.test")
    await red.until(lambda: red.connector.tries["blue.test"] > 0)
    await red.quiet()
    found = await row(red, one)
    assert (found.state, found.status) == (State.WAITING, "4.7.1")
    return found


async def test_what_is_under_way_is_not_begun_again_when_the_clock_jumps_past_its_lease(
    database: Database, tmp_path: Path
) -> None:
    host = Patient()
    async with twisted_here(), serving(host) as port, yard(database, tmp_path, to_port("blue.test", port)) as red:
        await red.send("first@blue.test")
        await host.holds.wait()
        red.clock.step(DAY)
        await red.send("second@blue.test")
        await red.until(lambda: red.done == 1)
        host.release.set()
        await red.quiet()
        assert await red.states() == {State.RELAYED: 2}
        assert red.faults == []
    assert len(host.contents) == 2


@pytest.mark.parametrize("step", [-DAY, -MINUTE, MINUTE, HOUR], ids=str)
async def test_what_waits_goes_once_whatever_the_clock_does(
    database: Database, tmp_path: Path, step: timedelta
) -> None:
    host = Busy()
    async with twisted_here(), serving(host) as port, yard(database, tmp_path, to_port("blue.test", port)) as red:
        await deferred(red)
        red.clock.step(step)
        await red.pass_time(abs(step) + 2 * MINUTE)
        assert await red.states() == {State.RELAYED: 1}
        await red.pass_time(DAY)
        assert red.faults == []
    assert len(host.contents) == 1


async def test_new_mail_goes_at_once_when_the_clock_has_gone_back(database: Database, tmp_path: Path) -> None:
    host = Busy()
    async with twisted_here(), serving(host) as port, yard(database, tmp_path, to_port("blue.test", port)) as red:
        await deferred(red)
        red.clock.step(-DAY)
        await red.send("b@blue.test")
        await red.until(lambda: red.done == 1)
        assert await red.states() == {State.RELAYED: 1, State.WAITING: 1}


async def test_a_time_that_is_far_away_is_not_forgotten(database: Database, tmp_path: Path) -> None:
    """Put off by a clock that was a month ahead: it waits for its time, after a restart too, and goes when somebody asks for it."""
    host = Busy()
    async with twisted_here(), serving(host) as port:
        async with yard(database, tmp_path, to_port("blue.test", port)) as red:
            red.clock.step(30 * DAY)
            waits = await deferred(red)
            assert waits.next_try is not None
        async with yard(database, tmp_path, to_port("blue.test", port)) as red:
            await red.pass_time(DAY)
            assert await red.states() == {State.WAITING: 1}
            assert red.clock.until == waits.next_try
            await database.write(control.try_at, [waits.id], Millis(red.clock.now()))
            await red.until(lambda: red.done == 1)
            assert await red.states() == {State.RELAYED: 1}
    assert len(host.contents) == 1
