"""What is late by its sender's own time goes back to him, or he hears of it, at that moment (DELIVERBY, RFC 2852).

Beside the relay, and without it too: a host that is not there is asked seldom, and its message must not wait for that.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.events.event import FAULT, Events
from mailhost.ids import Millis
from mailhost.queue import overdue
from mailhost.queue.changes import Timed
from mailhost.queue.values import Acceptance
from mailhost.relay import deadline
from mailhost.relay.clock import Clock
from mailhost.relay.job import Job
from mailhost.relay.notices import Notices
from mailhost.relay.outcome import tell

AT_ONCE = 50
LOOK_EVERY = timedelta(minutes=1)
"""For what another node has left, or an administrator released."""
LEASE = timedelta(minutes=1)
TRY_AGAIN = timedelta(seconds=5)
NOT_KNOWN = Millis(1 << 62)


class Overdue:
    """The background task."""

    def __init__(
        self, database: Database, notices: Notices, events: Events, claimant: str, clock: Clock = Clock()
    ) -> None:
        """`claimant`: other than the relay's, which frees what it had when it starts."""
        self._database, self._notices, self._events = database, notices, events
        self._claimant, self._clock = claimant, clock
        self._wake = asyncio.Event()
        self._looks_at = NOT_KNOWN
        """When it looks again, if nothing comes that is late earlier."""
        database.subscribe(self._published)

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._wake.clear()
            self._looks_at = NOT_KNOWN  # whatever comes while we look wakes us again
            try:
                await self.settle_all()
                moment = await self._database.read(overdue.next_moment, self._clock.now())
            except CommitFailed as failure:
                self._events.publish(FAULT, cause=f"late messages: {failure}")
                moment = self._clock.now()
            self._looks_at = self._next_look(moment)
            await self._clock.wait(self._wake, self._looks_at)

    def _next_look(self, moment: Millis | None) -> Millis:
        now = self._clock.now()
        if moment is None or moment - now > LOOK_EVERY // timedelta(milliseconds=1):
            return _after(now, LOOK_EVERY)
        return moment if moment > now else _after(now, TRY_AGAIN)

    async def settle_all(self) -> None:
        """Each message once; one with which something goes wrong does not stop the others."""
        tried = set[int]()
        while found := await self._database.read(overdue.late, self._clock.now(), len(tried) + AT_ONCE):
            new = [each for each in found if each.journey not in tried]
            if not new:
                return
            for accepted in new:
                tried.add(accepted.journey)
                await self._settle(accepted)

    async def _settle(self, accepted: Acceptance) -> None:
        try:
            if deadline.ends_when(accepted) is None:
                await self._notices.settle_late(accepted)
            else:
                await self._return(accepted)
        except CommitFailed:
            raise
        except Exception as fault:  # noqa: BLE001
            cause = f"late message: {fault!r}"
            self._events.publish(FAULT, journey=accepted.journey, cause=cause, data={"exception": fault})

    async def _return(self, accepted: Acceptance) -> None:
        now = self._clock.now()
        rows = await self._database.write(
            overdue.seize, accepted.journey, self._claimant, now, _after(now, LEASE)
        )  # fmt: skip
        if not rows:
            return
        results = [deadline.expired(accepted, each, now) for each in rows]
        await self._notices.settle(accepted, rows, results)
        tell(self._events, Job(accepted, tuple(rows)), results)

    def _published(self, changes: Sequence[object]) -> None:
        if any(isinstance(change, Timed) and change.at < self._looks_at for change in changes):
            self._wake.set()


def _after(now: Millis, wait: timedelta) -> Millis:
    return Millis(now + wait // timedelta(milliseconds=1))
