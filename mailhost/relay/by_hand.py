"""What an administrator returns to its sender, with the notice that a failure has; beside a running server or without one."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import groupby

from mailhost.database.database import Database
from mailhost.ids import DeliveryId, Millis, fresh, now, text_of
from mailhost.queue import control
from mailhost.queue.claims import Result
from mailhost.queue.control import Waiting
from mailhost.queue.values import State
from mailhost.relay.notices import Notices
from mailhost.trace.values import Entry

STATUS = "5.0.0"
"""Of RFC 3463 the only one that is true: it failed for good, and neither address, host nor message is why."""
RETURNED = "returned by the administrator"
LEASE = timedelta(minutes=5)


class ReturnByHand:
    """Rows are leased first, as whoever sends them does: the notice tells of nothing that somebody sends meanwhile."""

    def __init__(self, database: Database, notices: Notices, reason: str) -> None:
        self._database, self._notices = database, notices
        self._reason = f"{RETURNED}: {reason}" if reason else RETURNED
        self._claimant = f"administrator {text_of(fresh())}"

    async def perform(self, found: Sequence[Waiting], acts: Mapping[DeliveryId, Entry]) -> Sequence[DeliveryId]:
        """Of each message the result, the notice and the trace in one commit."""
        at = now()
        until = Millis(at + LEASE // timedelta(milliseconds=1))
        ids = [each.delivery.id for each in found]
        mine = set(await self._database.write(control.lease, ids, self._claimant, at, until))
        for _, some in groupby(
            (each for each in found if each.delivery.id in mine), lambda each: each.delivery.journey
        ):
            rows = list(some)
            deliveries = [each.delivery for each in rows]
            results = [Result(row.id, State.BOUNCED, STATUS, self._reason, None, None, at) for row in deliveries]
            await self._notices.settle(rows[0].acceptance, deliveries, results, [acts[row.id] for row in deliveries])
        return sorted(mine)
