"""The relay: takes what is due from the ledger, destination by destination, and has it carried to the next host.

It is woken by a commit, by a hint of another process and by the time of the next try, never by looking again and again.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.events.event import FAULT, Events
from mailhost.ids import Millis, now
from mailhost.queue import claims
from mailhost.queue.changes import Queued
from mailhost.queue.claims import Claim
from mailhost.queue.values import Acceptance, Delivery
from mailhost.relay.agenda import Agenda
from mailhost.relay.attempt import Connector, Trouble
from mailhost.relay.contents import Contents
from mailhost.relay.lane import Lane, Tools
from mailhost.relay.notices import Notices
from mailhost.relay.outcome import Outcomes
from mailhost.store.octets import BlobStore

MOST_CLAIMED = 200
"""Rows that one lane has at a time."""
PAGE = 1_000
"""Rows that are put off together when a destination cannot be reached."""
MOST_LANES = 10_000
"""That are remembered."""
LEASE = timedelta(minutes=15)
RENEW_EVERY = timedelta(minutes=5)
FAILED_AGAIN = timedelta(seconds=5)
"""After the database could not be written."""
FAULTY_AGAIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LaneSettings:
    most_connections: int = 10
    """To one destination."""
    most_in_all: int = 500


class Relay:
    """The background task."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        events: Events,
        connector: Connector,
        notices: Notices,
        claimant: str,
        settings: LaneSettings = LaneSettings(),
        clock: Callable[[], Millis] = now,
    ) -> None:
        self._database, self._events, self._claimant = database, events, claimant
        self._schedule = notices.schedule
        self._settings = settings
        self._clock = clock
        outcomes = Outcomes(notices, events, self._schedule, clock)
        connections = asyncio.Semaphore(settings.most_in_all)
        self._tools = Tools(events, connector, outcomes, connections, Contents(blobs))
        self._agenda = Agenda(connector.key)
        self._lanes: dict[str, Lane] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._look = True
        """Whether the ledger must be asked who waits for what: at the start, and when another process has changed it."""
        self._wake = asyncio.Event()
        database.subscribe(self._published)

    def look(self) -> None:
        """Another process queued, released or changed something."""
        self._look = True
        self._wake.set()

    async def run(self) -> None:
        """Until it is cancelled; what is under way then is broken off, and tried again by the next one."""
        await self._database.write(claims.release, self._claimant, None)
        renewing = asyncio.ensure_future(self._renew())
        try:
            while True:
                self._wake.clear()
                if self._look:
                    await self._look_again()
                self._begin()
                await self._pause()
        finally:
            renewing.cancel()
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _look_again(self) -> None:
        self._look = False
        for destination, at in (await self._database.read(claims.due)).items():
            self._agenda.add(destination, at)

    def _begin(self) -> None:
        for lane in self._agenda.lanes(self._clock()):
            if lane not in self._running:
                self._running[lane] = asyncio.ensure_future(self._serve(lane))

    async def _pause(self) -> None:
        moment = self._agenda.next_moment
        wait = None if moment is None else max(moment - self._clock(), 0) / 1000
        with suppress(TimeoutError):
            await asyncio.wait_for(self._wake.wait(), wait)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY.total_seconds())
            with suppress(CommitFailed):
                await self._database.write(claims.renew, self._claimant, self._later(LEASE))

    def _published(self, changes: Sequence[object]) -> None:
        for change in changes:
            if isinstance(change, Queued):
                for share in change.shares:
                    if share.destination:
                        self._agenda.add(share.destination, self._clock())
                self._wake.set()

    # One lane.

    async def _serve(self, lane: str) -> None:
        """Carry all that is due in it; afterwards its next time is known."""
        try:
            while names := self._agenda.take(lane, self._clock()):
                await self._carry_due(lane, names)
        finally:
            self._running.pop(lane, None)
            self._agenda.again(lane)
            self._wake.set()

    async def _carry_due(self, lane: str, names: Sequence[str]) -> None:
        """Whatever goes wrong with it must not end the relay."""
        try:
            await self._carry(lane, names)
            for destination, at in (await self._database.read(claims.next_due, names)).items():
                self._agenda.add(destination, at)
        except CommitFailed as failure:
            self._events.publish(FAULT, cause=f"relay to {lane}: {failure}")
            self._put_on(names, FAILED_AGAIN)
        except Exception as fault:  # noqa: BLE001
            self._events.publish(FAULT, cause=f"relay to {lane}: {fault!r}", data={"exception": fault})
            self._put_on(names, FAULTY_AGAIN)
            with suppress(CommitFailed):
                await self._database.write(claims.release, self._claimant, names)

    def _put_on(self, names: Sequence[str], wait: timedelta) -> None:
        for name in names:
            self._agenda.add(name, self._later(wait))

    async def _carry(self, name: str, destinations: Sequence[str]) -> None:
        lane = self._lanes.get(name)
        if lane is None:
            if len(self._lanes) >= MOST_LANES:
                self._lanes.clear()
            lane = self._lanes[name] = Lane(destinations[0], self._tools, self._settings.most_connections)
        while claimed := await self._claim(destinations, MOST_CLAIMED):
            trouble = await lane.carry(claimed)
            if trouble is not None and not trouble.is_final:
                await self._put_off(name, lane, destinations, trouble)
                return
        self._agenda.open(name)

    async def _claim(self, destinations: Sequence[str], most: int) -> Sequence[tuple[Delivery, Acceptance]]:
        claim = Claim(tuple(destinations), self._claimant, self._clock(), self._later(LEASE), most)
        return await self._database.write(claims.take, claim)

    async def _put_off(self, name: str, lane: Lane, destinations: Sequence[str], trouble: Trouble) -> None:
        """Nobody is there: what else is due was tried by this, too, and nothing is tried before the lane's own time."""
        wait = self._schedule.waits[min(lane.failures - 1, len(self._schedule.waits) - 1)]
        self._agenda.close(name, self._later(wait))
        while claimed := await self._claim(destinations, PAGE):
            for _, rows in groupby(claimed, key=lambda row: row[1].journey):
                some = list(rows)
                await self._tools.outcomes.failed(some[0][1], [delivery for delivery, _ in some], trouble)

    def _later(self, wait: timedelta) -> Millis:
        return Millis(self._clock() + wait // timedelta(milliseconds=1))
