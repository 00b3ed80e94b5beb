"""Thousands of messages to a mailbox that is full, or to nobody: the queue goes down, and the sender hears of it so often and no more."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import pytest

from mailhost.database.database import Database
from mailhost.queue import audit, entries
from mailhost.queue.values import State
from mailhost.relay.attempt import RelaySettings
from mailhost.relay.notices import NoticeSettings
from mailhost.relay.routes import Routes
from mailhost.relay.schedule import Schedule
from tests.delivery.building import people
from tests.engines import Place
from tests.relay.hosts import Host, serving, twisted_here
from tests.relay.test_hostile import QUICK, relaying
from tests.relay.waiting import accepted, store

pytestmark = pytest.mark.slow

ALICE = "alice@example.org"
MOST = NoticeSettings("").most_an_hour
SECONDS = 100
COUNTS = [pytest.param(300, id="300"), pytest.param(10_000, id="10000", marks=pytest.mark.soak)]
FULL = Schedule((timedelta(milliseconds=200),), give_up=timedelta(seconds=1), warn=timedelta(milliseconds=1))


@pytest.fixture
def place(sqlite_place: Place) -> Place:
    return sqlite_place


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("sender", [ALICE, "eve@elsewhere.test", ""], ids=["ours", "elsewhere", "nobody"])
@pytest.mark.parametrize("answer", ["550 5.1.1 nobody", "452 4.2.2 full"], ids=["refused", "full"])
async def test_a_storm_of_bounces_is_none(
    database: Database, tmp_path: Path, answer: str, sender: str, count: int
) -> None:
    """One notice a message at most, and a hundred an hour; what became of each of the others is in the ledger."""
    await people(database, "alice")
    host, blobs = Host(replies={"RCPT": answer, "DATA": "554 5.5.1 for nobody"}), store(database, tmp_path)
    schedule = FULL if answer.startswith("4") else Schedule()
    end = State.EXPIRED if answer.startswith("4") else State.BOUNCED
    for _ in range(count // 100):
        some = [
            accepted(database, blobs, b"Subject: x\r\n\r\nx\r\n", "a@full.test", reverse_path=sender)
            for _ in range(100)
        ]
        await asyncio.gather(*some)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(twisted_here())
        port = await stack.enter_async_context(serving(host))
        routes = Routes({"full.test": f"smtp:[127.0.0.1]:{port}"})
        settings = RelaySettings("me.test", timeouts=QUICK, routes=routes)
        news = await stack.enter_async_context(relaying(database, blobs, settings, schedule))
        async with asyncio.timeout(SECONDS):
            while (states := await database.read(entries.states)).get(end, 0) < count:
                await news.wait()
                news.clear()
    assert sum(states.values()) == count + (MOST if sender else 0)
    assert states.get(State.STORED, 0) == (MOST if sender == ALICE else 0)
    assert not host.contents
    assert await database.read(audit.ledger) == []
