"""Who asked to hear of success (NOTIFY=SUCCESS, RFC 3461 section 4.1) hears of what was delivered here, beside the conversation that brought it.

The acceptance only announces it; the notice is made and committed here. What a crash leaves untold is found at the next start.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.events.event import FAULT, Events
from mailhost.ids import JourneyId, Millis, first_of, now
from mailhost.queue import told
from mailhost.queue.changes import DoneHere
from mailhost.relay.notices import Notices

LOOK_BACK = timedelta(days=1)
MOST_AT_ONCE = 1_000
TRY_AGAIN = timedelta(seconds=5)


class ReportsHere:
    """The background task."""

    def __init__(self, database: Database, notices: Notices, events: Events) -> None:
        self._database, self._notices, self._events = database, notices, events
        self._journeys: dict[JourneyId, None] = {}
        self._look = True
        """Whether the ledger must be asked: at the start, and after more than memory should hold."""
        self._wake = asyncio.Event()
        database.subscribe(self._published)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._wake.clear()
            try:
                await self.tell_all()
            except CommitFailed as failure:
                self._events.publish(FAULT, cause=f"notices: {failure}")
                await asyncio.sleep(TRY_AGAIN.total_seconds())
                continue
            await self._wake.wait()

    async def tell_all(self) -> None:
        """Of each message once; one that cannot be told does not stop the others."""
        while self._look or self._journeys:
            if not self._journeys:
                await self._look_again()
                continue
            journey = next(iter(self._journeys))
            done = await self._database.read(told.done_here, journey)
            if done is not None:
                await self._notices.settle_here(done)
            self._journeys.pop(journey, None)

    async def _look_again(self) -> None:
        since = Millis(now() - LOOK_BACK // timedelta(milliseconds=1))
        found = await self._database.read(told.untold_since, first_of(since), MOST_AT_ONCE)
        self._look = len(found) == MOST_AT_ONCE
        self._journeys |= dict.fromkeys(found)

    def _published(self, changes: Sequence[object]) -> None:
        for change in changes:
            if isinstance(change, DoneHere):
                if len(self._journeys) >= MOST_AT_ONCE:
                    self._look = True
                else:
                    self._journeys |= dict.fromkeys(map(JourneyId, change.journeys))
                self._wake.set()
