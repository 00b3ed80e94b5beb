"""A destination is away for an hour while thousands of messages wait: tries are few, and all of it goes when it is back."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from mailhost.database.database import Database
from mailhost.database.sqlite import SQLiteEngine
from mailhost.queue.values import State
from mailhost.relay.attempt import RelaySettings
from mailhost.relay.lane import LaneSettings
from mailhost.relay.routes import Routes
from mailhost.relay.worker import Settings
from tests.dns import dns_server
from tests.relay.hosts import Host, serving, twisted_here
from tests.relay.simulated import QUICK, to_port, yard

pytestmark = pytest.mark.slow

MANY, FEWER = 10_000, 3_000
"""On SQLite; on PostgreSQL, which takes three times as long for as many."""
HOUR = timedelta(hours=1)
TRIES_IN_AN_HOUR = 6
"""Two connections at once, and one each 1, 6, 16 and 36 minutes later."""
CONNECTIONS = 10
FLAT_OCTETS = 16 << 20


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def listening(host: Host, port: int) -> AsyncIterator[None]:
    server = await asyncio.start_server(host.serve, "127.0.0.1", port)
    async with server:
        yield
        server.close()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


async def test_thousands_wait_for_an_hour_and_then_all_go(database: Database, tmp_path: Path) -> None:
    count = MANY if isinstance(database._engine, SQLiteEngine) else FEWER
    port, host = free_port(), Host()
    many = [f"u{number}@blue.test" for number in range(count)]
    async with (
        twisted_here(),
        yard(database, tmp_path, to_port("blue.test", port), Settings(LaneSettings(CONNECTIONS)), before=many) as red,
    ):
        await red.quiet()
        used = resident()
        await red.pass_time(HOUR)
        assert red.connector.tries["blue.test"] == TRIES_IN_AN_HOUR
        assert resident() - used < FLAT_OCTETS
        assert await red.states() == {State.WAITING: count}
        assert red.writes["settle"] <= TRIES_IN_AN_HOUR * (count // 200 + 10), red.writes
        assert red.writes["take"] <= TRIES_IN_AN_HOUR * (count // 1_000 + 20), red.writes
        claims = red.writes["take"]
        async with listening(host, port):
            assert red.clock.until is not None
            red.clock.set_to(red.clock.until)  # the next try, and no more time than that
            await red.until(lambda: red.done == count)
            assert await red.states() == {State.RELAYED: count}
            assert red.writes["take"] - claims <= count // 50
            assert red.writes["finish"] <= count + CONNECTIONS
            assert red.connector.tries["blue.test"] <= TRIES_IN_AN_HOUR + CONNECTIONS
        assert red.faults == []
    assert len(host.contents) == count
    assert len({line for line in host.heard if line.startswith("RCPT")}) == count
    assert host.connections <= CONNECTIONS


async def test_the_same_while_dns_says_nothing(database: Database, tmp_path: Path) -> None:
    count, host = 1_000, Host()
    with dns_server({"blue.test MX": ["10 mx.blue.test."], "mx.blue.test A": ["127.0.0.1"]}) as (zone, dns):
        zone.failing.add("blue.test")
        async with twisted_here(), serving(host) as port:
            places = {"mx.blue.test:25": ("127.0.0.1", port)}
            to = RelaySettings("me.test", timeouts=QUICK, connect_map=places, allow_private_targets=True)
            many = [f"u{number}@blue.test" for number in range(count)]
            async with yard(database, tmp_path, to, servers=[("127.0.0.1", dns)], before=many) as red:
                await red.pass_time(HOUR)
                assert red.connector.tries["blue.test"] == TRIES_IN_AN_HOUR
                assert len(zone.asked) <= 3 * TRIES_IN_AN_HOUR
                assert await red.states() == {State.WAITING: count}
                zone.failing.clear()
                assert red.clock.until is not None
                red.clock.set_to(red.clock.until)
                await red.until(lambda: red.done == count)
                assert await red.states() == {State.RELAYED: count}
                assert red.faults == []
    assert len(host.contents) == count


async def test_new_mail_for_who_is_away_makes_no_further_tries(database: Database, tmp_path: Path) -> None:
    """A message a minute: each would have its own schedule, and the destination has one for all."""
    async with twisted_here(), yard(database, tmp_path, to_port("blue.test", free_port())) as red:
        for _ in range(60):
            await red.send("a@blue.test")
            await red.pass_time(timedelta(minutes=1))
        assert red.connector.tries["blue.test"] <= TRIES_IN_AN_HOUR
        assert red.faults == []


class Mute(Host):
    """It accepts the connection, and says nothing."""

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()


async def test_one_that_is_silent_among_a_hundred_keeps_nobody_waiting(database: Database, tmp_path: Path) -> None:
    """With few connections in all: the others are done before it has even been given up."""
    host, mute, count, each = Host(), Mute(), 100, 10
    async with twisted_here(), serving(host) as port, serving(mute) as dead:
        routes = {f"d{number}.test": f"smtp:[127.0.0.{number + 1}]:{port}" for number in range(1, count)}
        places = {f"[127.0.0.{number + 1}]:{port}": ("127.0.0.1", port) for number in range(1, count)}
        table = Routes(routes | {"d0.test": f"smtp:[127.0.0.1]:{dead}"})
        to = RelaySettings("me.test", timeouts=QUICK, routes=table, connect_map=places)
        many = [f"u{at}@d{number}.test" for at in range(each) for number in range(count)]
        async with yard(database, tmp_path, to, Settings(most_in_all=8), before=many) as red:
            await red.until(lambda: red.done == (count - 1) * each)
            assert await red.states() == {State.RELAYED: (count - 1) * each, State.WAITING: each}
            assert red.connector.tries["d0.test"] == mute.connections == 2, "of the first try"
            assert red.faults == []
