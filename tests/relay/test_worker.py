"""The relay as a whole over real sockets: lanes, connections kept, turns, pace, and what happens when hosts come and go."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailhost.database.database import Database
from mailhost.delivery.directory import Directory
from mailhost.events.event import FAULT, QUEUE_DEFER, QUEUE_DONE, Event, Events
from mailhost.ids import AccountId, now
from mailhost.queue import claims, control, entries
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.relay import worker
from mailhost.relay.attempt import Connector, RelaySettings
from mailhost.relay.dns import Resolver
from mailhost.relay.lane import MOST_BREAKS, LaneSettings
from mailhost.relay.notices import Notices, NoticeSettings
from mailhost.relay.routes import Routes
from mailhost.relay.schedule import Schedule
from mailhost.relay.worker import Relay, Settings
from mailhost.smtp.client.dialogue import Timeouts
from mailhost.store.octets import BlobStore
from tests.relay.hosts import Host, serving, twisted_here
from tests.relay.waiting import accepted, store

pytestmark = pytest.mark.slow

TEXT = b"Subject: x\r\n\r\nbody\r\n"
QUICK = Timeouts(greeting=5, command=5, data=5, block=5, end=5, message=10)
SECONDS = 20
SETTLE = claims.settle


@dataclass
class Office:
    """A relay that runs, and what it tells."""

    database: Database
    blobs: BlobStore
    relay: Relay
    task: asyncio.Task[None]
    told: list[Event] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    faults: list[Event] | None = None
    """Those that a test expects."""

    def hears(self, event: Event) -> None:
        if event.kind == FAULT:
            assert self.faults is not None, event.cause
            self.faults.append(event)
        if event.kind in (QUEUE_DONE, QUEUE_DEFER):
            self.told.append(event)
            self.news.set()

    async def until(self, count: int) -> list[Event]:
        """So many results, the first of them."""
        async with asyncio.timeout(SECONDS):
            while len(self.told) < count:
                self.news.clear()
                await self.news.wait()
        return self.told[:count]

    async def send(self, *recipients: str, login: int = 1, text: bytes = TEXT, priority: int = 0) -> Acceptance:
        login_ = AccountId(login)
        return await accepted(self.database, self.blobs, text, *recipients, login=login_, priority=priority)

    async def states(self, *mail: Acceptance) -> list[State]:
        rows = [await self.database.read(entries.of_journey, each.journey) for each in mail]
        return [row.state for its in rows for row in its]

    async def rows(self, one: Acceptance) -> list[Delivery]:
        return await self.database.read(entries.of_journey, one.journey)


@asynccontextmanager
async def office(
    database: Database,
    folder: Path,
    ports: dict[str, int],
    settings: Settings = Settings(),
    schedule: Schedule = Schedule(),
    before: Callable[[BlobStore], Awaitable[object]] | None = None,
) -> AsyncIterator[Office]:
    """`before`: what is in the queue already when the relay starts."""
    routes = Routes({domain: f"smtp:[127.0.0.1]:{port}" for domain, port in ports.items()})
    connector = Connector(
        Resolver([("127.0.0.1", 9)], timedelta(seconds=1)), RelaySettings("me.test", timeouts=QUICK, routes=routes)
    )
    blobs, events = store(database, folder), Events()
    told = Notices(database, blobs, Directory(database), events, schedule, NoticeSettings("me.test"))
    relay = Relay(database, blobs, events, connector, told, "node 0", settings)
    if before is not None:
        await before(blobs)
    made = Office(database, blobs, relay, asyncio.ensure_future(relay.run()))
    events.subscribe(made.hears)
    try:
        yield made
    finally:
        made.task.cancel()
        await asyncio.gather(made.task, return_exceptions=True)


async def test_a_connection_is_kept_for_the_next_message(database: Database, tmp_path: Path) -> None:
    host = Host()
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}) as red:
        for at in range(3):
            await red.send("a@blue.test")
            await red.until(at + 1)
    assert (len(host.contents), host.connections) == (3, 1)


class Weary(Host):
    """Says good-bye at the second message of each connection."""

    def _usual(self, verb: str, extensions: list[str]) -> str:
        since = len(self.heard) - max(at for at, line in enumerate(self.heard) if line.startswith("EHLO"))
        if verb == "MAIL" and since > 2:
            return "421 4.7.0 enough"
        return super()._usual(verb, extensions)


async def test_who_takes_no_more_over_one_connection_gets_another(database: Database, tmp_path: Path) -> None:
    """That is no failure of the message, which would wait for a minute."""
    host = Weary()
    one = Settings(LaneSettings(1))
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}, one) as red:
        mail = [await red.send("a@blue.test") for _ in range(4)]
        await red.until(4)
        assert await red.states(*mail) == [State.RELAYED] * 4
        assert {row.tries for each in mail for row in await red.rows(each)} == {1}
    assert (len(host.contents), host.connections) == (4, 4)


class Sleepy(Host):
    """Closes while nothing is under way."""

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def close() -> None:
            while not self.contents:
                await asyncio.sleep(0.01)
            await asyncio.sleep(0.05)
            self._say(writer, "421 4.4.2 idle for too long")
            writer.close()

        closing = asyncio.ensure_future(close()) if self.connections == 1 else None
        try:
            await super()._talk(reader, writer)
        finally:
            if closing is not None:
                closing.cancel()


async def test_a_kept_connection_that_was_closed_is_made_anew(database: Database, tmp_path: Path) -> None:
    host = Sleepy()
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}) as red:
        await red.send("a@blue.test")
        await red.until(1)
        await asyncio.sleep(0.2)
        second = await red.send("a@blue.test")
        await red.until(2)
        assert [(row.state, row.tries) for row in await red.rows(second)] == [(State.RELAYED, 1)]
    assert host.connections == 2


async def test_nobody_waits_behind_anothers_mailing(database: Database, tmp_path: Path) -> None:
    host = Host()
    mail: list[Acceptance] = []

    async def before(blobs: BlobStore) -> None:
        mailing = [await accepted(database, blobs, TEXT, f"u{at}@blue.test", login=AccountId(1)) for at in range(150)]
        mail.extend(mailing)
        mail.append(await accepted(database, blobs, TEXT, "a@blue.test", login=AccountId(2)))
        mail.append(await accepted(database, blobs, TEXT, "b@blue.test", login=AccountId(1), priority=5))

    one = Settings(LaneSettings(1))
    async with (
        twisted_here(),
        serving(host) as port,
        office(database, tmp_path, {"blue.test": port}, one, before=before) as red,
    ):
        told = await red.until(len(mail))
    order = [event.journey for event in told]
    assert order.index(mail[-1].journey) == 0, "the higher priority goes first"
    assert order.index(mail[-2].journey) <= 2, "another sender takes turns with the mailing"


class Slow(Host):
    """Takes its time for large messages."""

    release: asyncio.Event

    async def content(self, reader: asyncio.StreamReader) -> bytes:
        taken = await super().content(reader)
        if b"large" in taken:
            await self.release.wait()
        return taken


async def test_new_mail_does_not_wait_for_what_is_under_way(database: Database, tmp_path: Path) -> None:
    host = Slow()
    host.release = asyncio.Event()
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}) as red:
        large = await red.send("a@blue.test", text=b"\r\nlarge\r\n")
        while len(host.heard) < 4:
            await asyncio.sleep(0.01)
        small = await red.send("a@blue.test")
        await red.until(1)
        assert await red.states(large, small) == [State.WAITING, State.RELAYED]
        host.release.set()
        await red.until(2)


async def test_at_the_end_what_is_under_way_is_let_through(database: Database, tmp_path: Path) -> None:
    """Broken off behind its dot it would come twice."""
    host = Slow()
    host.release = asyncio.Event()
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}) as red:
        one = await red.send("a@blue.test", text=b"\r\nlarge\r\n")
        while not any(line.startswith("DATA") for line in host.heard):
            await asyncio.sleep(0.01)
        red.task.cancel()
        asyncio.get_running_loop().call_later(0.2, host.release.set)
        await asyncio.gather(red.task, return_exceptions=True)
        assert await red.states(one) == [State.RELAYED]


async def test_the_pace_that_a_destination_asks_for_is_kept(database: Database, tmp_path: Path) -> None:
    host = Host()
    settings = Settings(rate=lambda _: 300)
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}, settings) as red:
        begun = asyncio.get_running_loop().time()
        for _ in range(6):
            await red.send("a@blue.test")
        await red.until(6)
        seconds = asyncio.get_running_loop().time() - begun
    assert seconds >= 5 * 60 / 300 - 0.01


async def test_connections_grow_while_it_goes_well(database: Database, tmp_path: Path) -> None:
    class Latent(Host):
        async def content(self, reader: asyncio.StreamReader) -> bytes:
            taken = await super().content(reader)
            await asyncio.sleep(0.02)
            return taken

    host = Latent()
    settings = Settings(LaneSettings(8))
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}, settings) as red:
        for _ in range(120):
            await red.send("a@blue.test")
        await red.until(120)
    assert 5 <= host.connections <= 8


async def test_who_is_there_again_gets_what_was_put_off(database: Database, tmp_path: Path) -> None:
    """At once, and not when each message's own time has come."""
    host, mail = Host(), list[Acceptance]()

    async def before(blobs: BlobStore) -> None:
        mail.extend([await accepted(database, blobs, TEXT, f"u{at}@blue.test") for at in range(5)])

    async with twisted_here():
        server = await asyncio.start_server(host.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        schedule = Schedule((timedelta(hours=1),))
        async with office(database, tmp_path, {"blue.test": port}, schedule=schedule, before=before) as red:
            await red.until(5)
            late = [row.next_try for each in mail for row in await red.rows(each)]
            assert all(each is not None and each > now() + 3_000_000 for each in late)
            server = await asyncio.start_server(host.serve, "127.0.0.1", port)
            async with server:
                red.relay.retry()
                mail.append(await red.send("b@blue.test"))
                await red.until(11)
                assert await red.states(*mail) == [State.RELAYED] * 6


async def test_a_dead_destination_keeps_nobody_waiting(database: Database, tmp_path: Path) -> None:
    silent, host = Host(greeting=""), Host()

    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    silent.serve = mute  # type: ignore[method-assign]
    async with twisted_here(), serving(silent) as dead, serving(host) as port:
        ports = {"dead.test": dead, "blue.test": port}
        async with office(database, tmp_path, ports, Settings(LaneSettings(2), most_in_all=4)) as red:
            for at in range(20):
                await red.send(f"u{at}@dead.test", f"u{at}@blue.test")
            told = await red.until(20)
    assert {event.data["state"] for event in told} == {"relayed"}


class Chatty(Host):
    """Says more than it was asked, behind its answer to EHLO."""

    def _usual(self, verb: str, extensions: list[str]) -> str:
        return super()._usual(verb, extensions) + ("\r\n250 and more" if verb == "EHLO" else "")


async def test_a_host_that_is_of_no_use_after_hello_is_left_alone(database: Database, tmp_path: Path) -> None:
    """And not connected to again and again."""
    host = Chatty()
    one = Settings(LaneSettings(1))
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}, one) as red:
        mail = await red.send("a@blue.test")
        (told,) = await red.until(1)
        assert await red.states(mail) == [State.WAITING]
    assert "says hello, and ends" in str(told.cause) or "a reply to nothing" in str(told.cause)
    assert host.connections <= MOST_BREAKS


class Failing:
    """An operation of the ledger that fails some times: `claims.settle`, as the relay calls it."""

    def __init__(self, times: int, error: type[Exception]) -> None:
        self.left, self.error = times, error

    def __call__(self, tx: Any, results: Any) -> None:
        if self.left:
            self.left -= 1
            raise self.error("not now")
        SETTLE(tx, results)


async def test_what_could_not_be_written_down_is_tried_again_after_a_while(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One message, one more try: not at once, and not never."""
    monkeypatch.setattr(claims, "settle", Failing(1, RuntimeError))
    monkeypatch.setattr(worker, "FAULTY_AGAIN", timedelta(seconds=1))
    host = Host(replies={"RCPT": "450 4.2.1 later"})
    schedule = Schedule((timedelta(hours=1),))
    async with (
        twisted_here(),
        serving(host) as port,
        office(database, tmp_path, {"blue.test": port}, schedule=schedule) as red,
    ):
        red.faults = []
        mail = await red.send("a@blue.test")
        begun = now()
        await red.until(1)
        assert now() - begun >= 900
        (row,) = await red.rows(mail)
    assert (row.state, row.tries, row.status) == (State.WAITING, 1, "4.2.1")
    assert len(red.faults) >= 1
    assert sum(line.startswith("RCPT") for line in host.heard) == 2


async def test_what_is_held_or_put_off_while_it_waits_for_its_turn_is_not_sent(
    database: Database, tmp_path: Path
) -> None:
    host = Host()
    settings = Settings(rate=lambda _: 60)
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}, settings) as red:
        mail = [await red.send(f"u{at}@blue.test") for at in range(4)]
        await red.until(1)
        ids = [row.id for each in mail for row in await red.rows(each) if row.state is State.WAITING]
        await database.write(control.hold, ids[:-1])
        await red.until(2)
        await asyncio.sleep(2.5)
        assert (await red.states(*mail)).count(State.RELAYED) == 2
        await database.write(control.try_at, ids, now())
        await red.until(4)
    assert len(host.contents) == 4


class Closing(Host):
    """Hangs up at RSET."""

    def _usual(self, verb: str, extensions: list[str]) -> str:
        if verb == "RCPT" and "bad" in self.heard[-1]:
            return "550 5.1.1 nobody"
        return "close" if verb == "RSET" else super()._usual(verb, extensions)


async def test_refusals_are_no_broken_connections(database: Database, tmp_path: Path) -> None:
    host = Closing([])
    one = Settings(LaneSettings(1))
    async with twisted_here(), serving(host) as port, office(database, tmp_path, {"blue.test": port}, one) as red:
        mail = [await red.send("bad@blue.test") for _ in range(4)]
        mail += [await red.send("good@blue.test") for _ in range(2)]
        await red.until(6)
        assert await red.states(*mail) == [State.BOUNCED] * 4 + [State.RELAYED] * 2


async def test_lanes_that_wait_for_their_turn_take_no_place(database: Database, tmp_path: Path) -> None:
    settings = Settings(LaneSettings(1), most_in_all=2, rate=lambda name: 0 if name == "c.test" else 2)
    async with twisted_here(), serving(Host()) as a, serving(Host()) as b, serving(Host()) as c:
        async with office(database, tmp_path, {"a.test": a, "b.test": b, "c.test": c}, settings) as red:
            for name in ("a.test", "b.test"):
                for _ in range(3):
                    await red.send(f"x@{name}")
            await red.until(2)
            await red.send("x@c.test")
            await red.until(3)
            begun = now()
        assert now() - begun < 3_000, "what only waits for its turn does not delay the end"
