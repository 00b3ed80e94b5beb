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
"""That are remembered though nothing is due for them."""
LEASE = timedelta(minutes=15)
RENEW_EVERY = timedelta(minutes=5)
FAILED_AGAIN = timedelta(seconds=5)
"""After the database could not be written."""


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
        self._tools = Tools(database, blobs, events, connector, outcomes, connections, Contents(blobs))
        self._lanes: dict[str, Lane] = {}
        self._due: dict[str, Millis] = {}
        """Destinations that something waits for, each with the time of its next try; those that run are not among them."""
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        """Destinations for which more came while they ran."""
        self._not_before: dict[str, Millis] = {}
        """Destinations that could not be reached: until then nobody asks again, whatever comes for them."""
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
        await self._database.write(claims.release, self._claimant)
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
            self._waits(destination, at)

    def _waits(self, destination: str, at: Millis) -> None:
        if destination in self._running:
            self._again.add(destination)
            return
        at = max(at, self._not_before.get(destination, at))
        self._due[destination] = min(self._due.get(destination, at), at)

    def _begin(self) -> None:
        moment = self._clock()
        for destination in [name for name, at in self._due.items() if at <= moment]:
            del self._due[destination]
            self._running[destination] = asyncio.ensure_future(self._serve(destination))

    async def _pause(self) -> None:
        wait = max(min(self._due.values()) - self._clock(), 0) / 1000 if self._due else None
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
                for destination in change.destinations - {""}:
                    self._waits(destination, self._clock())
                self._wake.set()

    # One destination.

    async def _serve(self, destination: str) -> None:
        """Carry all that is due for it; afterwards its next time is known."""
        try:
            await self._carry(destination)
            at = await self._database.read(claims.next_due, (destination,))
        except CommitFailed as failure:
            self._events.publish(FAULT, cause=f"relay to {destination}: {failure}")
            at = self._later(FAILED_AGAIN)
        except Exception as fault:  # noqa: BLE001 - one destination must not end the relay
            self._events.publish(FAULT, cause=f"relay to {destination}: {fault!r}", data={"exception": fault})
            at = self._later(timedelta(minutes=1))
        finally:
            self._running.pop(destination, None)
        if destination in self._again:
            self._again.discard(destination)
            at = self._clock()
        if at is not None:
            self._waits(destination, at)
        elif len(self._lanes) > MOST_LANES:
            self._lanes.pop(destination, None)
        self._wake.set()

    async def _carry(self, destination: str) -> None:
        lane = self._lanes.get(destination)
        if lane is None:
            lane = self._lanes[destination] = Lane(destination, self._tools, self._settings.most_connections)
        while claimed := await self._claim(destination):
            trouble = await lane.carry(claimed)
            if trouble is not None and not trouble.is_final:
                await self._put_off(lane, trouble)
                return
        self._not_before.pop(destination, None)

    async def _claim(self, destination: str, *, most: int = MOST_CLAIMED) -> Sequence[tuple[Delivery, Acceptance]]:
        claim = Claim((destination,), self._claimant, self._clock(), self._later(LEASE), most)
        return await self._database.write(claims.take, claim)

    async def _put_off(self, lane: Lane, trouble: Trouble) -> None:
        """Nobody is there: what else is due was tried by this, too, and nothing is tried before the destination's own time."""
        wait = self._schedule.waits[min(lane.failures - 1, len(self._schedule.waits) - 1)]
        self._not_before[lane.destination] = self._later(wait)
        while claimed := await self._claim(lane.destination, most=PAGE):
            for _, rows in groupby(claimed, key=lambda row: row[1].journey):
                some = list(rows)
                await self._tools.outcomes.failed(some[0][1], [delivery for delivery, _ in some], trouble)

    def _later(self, wait: timedelta) -> Millis:
        return Millis(self._clock() + wait // timedelta(milliseconds=1))
