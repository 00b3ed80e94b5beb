"""A relay on a clock that a test sets: hours pass as fast as the relay has nothing to do."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from pytest import MonkeyPatch

from mailhost.database.database import Database
from mailhost.delivery.directory import Directory
from mailhost.events.event import FAULT, QUEUE_DONE, Event, Events
from mailhost.ids import AccountId, Millis, now
from mailhost.queue import entries
from mailhost.queue.values import Acceptance, State
from mailhost.relay.attempt import Connection, Connector, RelaySettings
from mailhost.relay.clock import Clock
from mailhost.relay.dns import Resolver
from mailhost.relay.notices import Notices, NoticeSettings
from mailhost.relay.routes import Routes
from mailhost.relay.schedule import Schedule
from mailhost.relay.worker import Relay, Settings
from mailhost.smtp.client.dialogue import Timeouts
from mailhost.store.octets import BlobStore
from tests.relay.waiting import accepted, store

QUICK = Timeouts(greeting=5, command=5, data=5, block=5, end=5, message=10)
SECONDS = 60
AT_ONCE = 200
TEXT = b"Subject: x\r\n\r\nbody\r\n"


class SimulatedClock(Clock):
    """It stands still until somebody sets it."""

    def __init__(self) -> None:
        self.moment = now()
        self._set = asyncio.Event()
        self.asleep = asyncio.Event()
        """Somebody waits for it."""
        self.until: Millis | None = None
        """Until when."""

    def now(self) -> Millis:
        return self.moment

    async def wait(self, event: asyncio.Event, until: Millis | None) -> None:
        while not event.is_set() and (until is None or self.moment < until):
            self._set.clear()
            self.until = until
            self.asleep.set()
            waiting = [asyncio.ensure_future(each.wait()) for each in (event, self._set)]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in waiting:
                    each.cancel()
                self.asleep.clear()

    def set_to(self, moment: Millis) -> None:
        """Forward, or back."""
        self.moment = moment
        self.asleep.clear()
        self._set.set()

    def step(self, by: timedelta) -> None:
        self.set_to(Millis(self.moment + by // timedelta(milliseconds=1)))


class CountingConnector(Connector):
    """Counts how often somebody tries to connect, by destination."""

    def __init__(self, resolver: Resolver, settings: RelaySettings) -> None:
        super().__init__(resolver, settings)
        self.tries: Counter[str] = Counter()

    async def open(self, domain: str) -> Connection:
        self.tries[domain] += 1
        return await super().open(domain)


class Yard:
    """A relay that runs on its own clock, and what is counted of it."""

    def __init__(self, database: Database, blobs: BlobStore, connector: CountingConnector, events: Events) -> None:
        self.database, self.blobs, self.connector, self.events = database, blobs, connector, events
        self.clock = SimulatedClock()
        self.schedule = Schedule()
        self.writes: Counter[str] = Counter()
        """By operation."""
        self.relay: Relay
        self.faults: list[str] = []
        self.done = 0
        self.news = asyncio.Event()
        events.subscribe(self._hears)

    def _hears(self, event: Event) -> None:
        if event.kind == FAULT:
            self.faults.append(str(event.cause))
        elif event.kind == QUEUE_DONE:
            self.done += 1
        self.news.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Fails when nothing happens for long: a busy machine is no fault."""
        while not condition():
            self.news.clear()
            await asyncio.wait_for(self.news.wait(), SECONDS)

    async def quiet(self) -> None:
        """No lane is at work, and the relay waits for its clock."""
        async with asyncio.timeout(SECONDS):
            await self.clock.asleep.wait()
            while self.relay._running or self.relay._wake.is_set() or not self.clock.asleep.is_set():
                if tasks := list(self.relay._running.values()):
                    await asyncio.wait(tasks)
                await asyncio.sleep(0)
                await self.clock.asleep.wait()

    async def pass_time(self, span: timedelta) -> int:
        """From one moment that the relay waits for to the next. Answers with how many these were."""
        end, moments = Millis(self.clock.moment + span // timedelta(milliseconds=1)), 0
        await self.quiet()
        while (until := self.clock.until) is not None and until <= end:
            self.clock.set_to(max(until, self.clock.moment))
            moments += 1
            await self.quiet()
        self.clock.set_to(end)
        await self.quiet()
        return moments

    async def send(self, *recipients: str, **fields: Any) -> Acceptance:
        return await accepted(
            self.database, self.blobs, TEXT, *recipients, login=AccountId(1), at=self.clock.now(), **fields
        )

    async def states(self) -> dict[State, int]:
        return await self.database.read(entries.states)


@asynccontextmanager
async def yard(
    database: Database,
    folder: Path,
    to: RelaySettings,
    settings: Settings = Settings(),
    *,
    servers: Sequence[tuple[str, int]] = (("127.0.0.1", 9),),
    before: Sequence[str] = (),
) -> AsyncIterator[Yard]:
    """`before`: to whom a message each waits already when the relay starts."""
    connector = CountingConnector(Resolver(servers, timedelta(seconds=2)), to)
    made = Yard(database, store(database, folder), connector, Events())
    for first in range(0, len(before), AT_ONCE):
        await asyncio.gather(*(made.send(each) for each in before[first : first + AT_ONCE]))
    told = Notices(database, made.blobs, Directory(database), made.events, made.schedule, NoticeSettings("me.test"))
    write = database.write

    async def counted(operation: Any, *arguments: Any) -> Any:
        made.writes[operation.__name__] += 1
        return await write(operation, *arguments)

    made.relay = Relay(database, made.blobs, made.events, connector, told, "node 0", settings, made.clock)
    with MonkeyPatch.context() as patch:
        patch.setattr(database, "write", counted)
        task = asyncio.ensure_future(made.relay.run())
        try:
            yield made
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def to_port(domain: str, port: int) -> RelaySettings:
    return RelaySettings("me.test", timeouts=QUICK, routes=Routes({domain: f"smtp:[127.0.0.1]:{port}"}))
