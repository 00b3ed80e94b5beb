"""The relay: takes what is due from the ledger, lane by lane, and has it carried to the next host.

It is woken by a commit, by a hint of another process and by the time of the next try, never by looking again and again.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.events.event import FAULT, RELAY_SLEPT, Events
from mailhost.ids import Millis
from mailhost.queue import claims
from mailhost.queue.changes import Queued
from mailhost.queue.claims import Claim, Taken
from mailhost.queue.values import Share
from mailhost.relay.agenda import MOST_AT_ONCE, Agenda
from mailhost.relay.attempt import Connector, Trouble
from mailhost.relay.clock import Clock
from mailhost.relay.contents import Contents
from mailhost.relay.handover import HandOver
from mailhost.relay.job import Job, jobs_of
from mailhost.relay.lane import Lane, LaneSettings, Tools
from mailhost.relay.lease import Lease, LeaseOver
from mailhost.relay.notices import Notices
from mailhost.relay.outcome import Outcomes
from mailhost.relay.slots import Slots
from mailhost.store.octets import BlobStore

MOST_CLAIMED = 100
"""Rows that a lane takes at a time."""
MOST_SHARES = 50
"""That one claim goes through."""
PAGE = 1_000
"""Rows that are put off together when a destination cannot be reached."""
MOST_LANES = 10_000
"""That are remembered."""
LEASE = timedelta(minutes=15)
SLEPT = "this node did not renew its lease in time: other nodes may have sent what it had, so it looks again before it sends"
FAILED_AGAIN = timedelta(seconds=5)
"""After the database could not be written."""
FAULTY_AGAIN = timedelta(minutes=1)
LOOK_SELDOM = 10
"""Times that a look at the whole queue took pass before the next one."""


@dataclass(frozen=True, slots=True)
class Settings:
    lane: LaneSettings = field(default_factory=LaneSettings)
    most_in_all: int = 500
    """Connections to all hosts together."""
    rate: Callable[[str], int] = lambda _: 0
    """Messages a minute to a destination; 0 sets no limit."""
    lease: timedelta = LEASE
    grace: timedelta = timedelta(seconds=10)
    """At the end, how long messages under way may take: one that is broken off may come twice."""


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
        settings: Settings = Settings(),
        clock: Clock = Clock(),
    ) -> None:
        self._database, self._events, self._claimant = database, events, claimant
        self._schedule = notices.schedule
        self._settings, self._clock = settings, clock
        self._agenda = Agenda(connector.key)
        self._outcomes = Outcomes(database, notices, events, self._schedule, clock.now, self._agenda.add)
        hand_over = HandOver(Contents(blobs), self._outcomes, events)
        self._lanes: dict[str, Lane] = {}
        self._ready: dict[str, None] = {}
        """Lanes whose moment has come, and for which there is no place yet."""
        self._running: dict[str, asyncio.Task[None]] = {}
        self._lease = Lease(clock.now, clock.now())
        self._unclean: set[str] = set()
        """Lanes that were left with claimed rows."""
        self._look = True
        """Whether the ledger must be asked who waits for what: at the start, and when another process has changed it."""
        self._look_from = 0.0
        self._wake = asyncio.Event()
        self._tools = Tools(connector, hand_over, Slots(settings.most_in_all), self._wake.set)
        database.subscribe(self._published)

    def look(self) -> None:
        """Another process queued, released or changed something."""
        self._look = True
        self._wake.set()

    def retry(self) -> None:
        """The same, and somebody asks for it: also for lanes that are left alone for a while."""
        self._agenda.open_all()
        self.look()

    async def run(self) -> None:
        """Until it is cancelled; what is under way then has its time to end, and what is broken off is tried again by the next one."""
        await self._free_own()
        renewing = asyncio.ensure_future(self._renew())
        try:
            while True:
                self._wake.clear()
                if self._look:
                    await self._look_again()
                self._begin()
                await self._clock.wait(self._wake, self._agenda.next_moment)
        finally:
            renewing.cancel()
            await self._end()

    async def _free_own(self) -> None:
        """What it had when it was killed is due again."""
        while True:
            try:
                await self._database.write(claims.release, self._claimant, None)
            except CommitFailed as failure:
                self._events.publish(FAULT, cause=f"relay: cannot begin: {failure}")
                await asyncio.sleep(FAILED_AGAIN.total_seconds())
            else:
                return

    async def _end(self) -> None:
        for task in self._running.values():
            task.cancel()
        grace = self._settings.grace.total_seconds()
        await asyncio.gather(*self._running.values(), return_exceptions=True)
        await asyncio.gather(*(lane.end(grace) for lane in self._lanes.values()))

    async def _look_again(self) -> None:
        """Seldom, where much waits: each look goes through all of it."""
        loop = asyncio.get_running_loop()
        if (left := self._look_from - loop.time()) > 0:
            loop.call_later(left, self._wake.set)
            return
        begun = loop.time()
        self._look = False
        try:
            waiting = await self._database.read(claims.due)
        except CommitFailed as failure:
            self._events.publish(FAULT, cause=f"relay: cannot ask who waits: {failure}")
            self._look, self._look_from = True, loop.time() + FAILED_AGAIN.total_seconds()
            loop.call_later(FAILED_AGAIN.total_seconds(), self._wake.set)
            return
        for count, (share, at) in enumerate(waiting.items()):
            self._agenda.add(share, at)
            if count % MOST_AT_ONCE == 0:
                await asyncio.sleep(0)
        self._look_from = loop.time() + LOOK_SELDOM * (loop.time() - begun)

    def _begin(self) -> None:
        """Lanes of which nobody knows whether they can be reached take half of the places at most; who waits for his turn takes none."""
        for name in self._agenda.lanes(self._clock.now()):
            if name in self._running:
                self._lanes[name].nudge()
            else:
                self._ready[name] = None
        if not self._ready:
            return
        most = self._settings.most_in_all
        placed = [lane for lane in map(self._lanes.__getitem__, self._running) if not lane.is_pacing]
        taken, doubtful = len(placed), sum(lane.is_doubtful for lane in placed)
        for name in list(self._ready):
            if taken >= most:
                return
            lane = self._lane(name)
            if lane.is_doubtful and doubtful * 2 >= most:
                continue
            taken, doubtful = taken + 1, doubtful + lane.is_doubtful
            del self._ready[name]
            self._running[name] = asyncio.ensure_future(self._serve(name, lane))

    async def _renew(self) -> None:
        """A third of a lease is over; the time, too, to look whether a hint was lost."""
        while True:
            await asyncio.sleep(self._settings.lease.total_seconds() / 3)
            lease, until = self._lease, self._later(self._settings.lease)
            try:
                await self._database.write(claims.renew, self._claimant, until)
                lease.renew(until)
            except Exception as fault:  # noqa: BLE001 - what is under way goes on; the next time may go better
                self._events.publish(FAULT, cause=f"relay: leases were not renewed: {fault!r}")
            self.look()

    def _published(self, changes: Sequence[object]) -> None:
        for change in changes:
            if isinstance(change, Queued):
                if change.is_asked:
                    self._agenda.open_all()
                for share in change.shares:
                    if share.destination:
                        self._agenda.add(share, self._clock.now())
                self._wake.set()

    # One lane.

    async def _serve(self, name: str, lane: Lane) -> None:
        """Carry all that is due in it. Whatever goes wrong with it must not end the relay."""
        try:
            if name in self._unclean:
                await self._clean(name, lane)
            await self._carry(name, lane)
        except LeaseOver:
            self._events.publish(RELAY_SLEPT, cause=SLEPT, data={"lane": name})
            self._leave(name, lane, timedelta(0))
        except CommitFailed as failure:
            self._events.publish(FAULT, cause=f"relay to {name}: {failure}")
            self._leave(name, lane, FAILED_AGAIN)
        except Exception as fault:  # noqa: BLE001
            self._events.publish(FAULT, cause=f"relay to {name}: {fault!r}", data={"exception": fault})
            self._leave(name, lane, FAULTY_AGAIN)
        finally:
            self._running.pop(name, None)
            self._agenda.again(name)
            self._wake.set()

    def _lane(self, name: str) -> Lane:
        if (lane := self._lanes.get(name)) is not None:
            return lane
        if len(self._lanes) >= MOST_LANES:
            self._lanes = {each: its for each, its in self._lanes.items() if self._is_needed(each, its)}
        destination = self._agenda.destinations(name)[0]
        lane = Lane(destination, self._tools, self._lane_settings(destination))
        self._lanes[name] = lane
        return lane

    def _is_needed(self, name: str, lane: Lane) -> bool:
        """Whether it carries something, or knows of a failure that somebody waits for."""
        is_awaited = lane.failures > 0 and bool(self._agenda.destinations(name))
        return name in self._running or not lane.is_asleep or is_awaited

    def _lane_settings(self, destination: str) -> LaneSettings:
        return replace(self._settings.lane, most_a_minute=self._settings.rate(destination))

    async def _carry(self, name: str, lane: Lane) -> None:
        while True:
            if lane.trouble is not None:
                if not await self._put_off(name, lane, lane.trouble):
                    return
            elif lane.has_recovered:
                await self._call_back(name, lane)
            elif lane.is_hungry and (shares := self._take(name, lane)):
                lane.add(await self._claim(shares, MOST_CLAIMED))
            elif not lane.is_done:
                await lane.changed()
            else:
                break
        lane.claimed.clear()
        if not lane.failures:
            self._agenda.open(name)

    def _take(self, name: str, lane: Lane) -> list[Share]:
        shares = self._agenda.take(name, self._clock.now(), MOST_SHARES)
        lane.claimed.update(shares)
        return shares

    async def _claim(self, shares: Sequence[Share], most: int) -> list[Job]:
        each, until = max(most // len(shares), 1), self._later(self._settings.lease)
        if self._lease.is_over:
            self._lease = Lease(self._clock.now, until)
        lease, claim = self._lease, Claim(tuple(shares), self._claimant, self._clock.now(), until, each)
        taken: Taken = await self._database.write(claims.take, claim)
        for share, at in taken.next.items():
            self._agenda.add(share, at)
        return jobs_of(taken.rows, lease)

    async def _put_off(self, name: str, lane: Lane, trouble: Trouble) -> bool:
        """Nobody is there: what else is due was tried by this, too, and nothing is tried before the lane's own time.

        Answers with whether to go on: what is final for one is final for the next when its turn comes.
        """
        await self._outcomes.put_off(lane.take_back(), trouble)
        if trouble.is_final:
            return True
        while shares := self._take(name, lane):
            await self._outcomes.put_off(await self._claim(shares, PAGE), trouble)
        waits = self._schedule.waits
        self._agenda.close(name, self._later(waits[min(lane.failures, len(waits)) - 1]))
        lane.claimed.clear()
        return False

    async def _call_back(self, name: str, lane: Lane) -> None:
        """Somebody is there again: what was put off because nobody was need not wait for its time."""
        lane.has_recovered = False
        destinations, at = self._agenda.destinations(name), self._clock.now()
        for some in (destinations[first : first + PAGE] for first in range(0, len(destinations), PAGE)):
            for share in await self._database.write(claims.come_again, some, at):
                self._agenda.add(share, at)

    def _leave(self, name: str, lane: Lane, wait: timedelta) -> None:
        """For later, when what is under way has come to its end."""
        self._unclean.add(name)
        lane.take_back()
        self._agenda.close(name, self._later(wait))
        for share in lane.claimed:
            self._agenda.add(share, self._clock.now())

    async def _clean(self, name: str, lane: Lane) -> None:
        """What was claimed for it and not settled is due again."""
        while not lane.is_done:
            await lane.changed()
        await self._database.write(claims.release, self._claimant, sorted({each.destination for each in lane.claimed}))
        self._unclean.discard(name)

    def _later(self, wait: timedelta) -> Millis:
        return Millis(self._clock.now() + wait // timedelta(milliseconds=1))
