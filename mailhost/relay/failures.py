"""Failures that were gathered are told: one notice for all of a message that have come to an end meanwhile."""

import asyncio
from datetime import timedelta

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.events.event import FAULT, Events
from mailhost.queue import told
from mailhost.relay.clock import Clock
from mailhost.relay.gathering import Gathering
from mailhost.relay.notices import Notices

MOST_AT_ONCE = 1_000
TRY_AGAIN = timedelta(seconds=5)


class FailuresTold:
    """The background task."""

    def __init__(
        self, database: Database, notices: Notices, gathering: Gathering, events: Events, clock: Clock = Clock()
    ) -> None:
        self._database, self._notices, self._gathering, self._events = database, notices, gathering, events
        self._clock = clock
        self._looked_to = 0

    async def run(self) -> None:
        """Until it is cancelled."""
        gathering = self._gathering
        while True:
            gathering.wake.clear()
            try:
                await self.tell_due()
            except CommitFailed as failure:
                self._events.publish(FAULT, cause=f"notices: {failure}")
                gathering.look = True
                await asyncio.sleep(TRY_AGAIN.total_seconds())
                continue
            await self._clock.wait(gathering.wake, gathering.next_moment)

    async def tell_due(self) -> None:
        """Of each message whose time has come."""
        while True:
            if self._gathering.look:
                await self._look_again()
            journeys = self._gathering.take()
            for journey in journeys:
                await self._notices.settle_failed(journey)
            if not self._gathering.look and not journeys:
                return

    async def _look_again(self) -> None:
        """What a crash, or too many for memory, has left untold; page by page."""
        found = await self._database.read(told.journeys_failed, self._looked_to, MOST_AT_ONCE)
        for journey in found:
            self._gathering.add(journey, is_last=True)
        self._gathering.look = len(found) == MOST_AT_ONCE
        self._looked_to = found[-1] if self._gathering.look else 0
