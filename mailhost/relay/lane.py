"""One destination: what is due for it, over a few connections that are used again and again.

Nothing that happens here delays another destination. How many connections there may be grows with success and falls with failure.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from mailhost.events.event import FAULT, QUEUE_TRY, Events
from mailhost.queue.values import Acceptance, Delivery
from mailhost.relay.attempt import Connection, Connector, Trouble, told
from mailhost.relay.contents import Contents
from mailhost.relay.envelope import batches, is_too_many, outgoing
from mailhost.relay.outcome import Outcomes
from mailhost.smtp.client.heard import Heard
from mailhost.smtp.client.transaction import Sent, Unfit
from mailhost.transport.channel import ChannelError

FIRST_CONNECTIONS = 2
MOST_BREAKS = 3
"""Connections in a row that break off in the middle of a message. One may be that message's doing, and must not keep the others from
a host that is well; so many are the host's."""


@dataclass(frozen=True, slots=True)
class Job:
    """One message for some recipients of one destination."""

    acceptance: Acceptance
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Tools:
    """What all lanes share."""

    events: Events
    connector: Connector
    outcomes: Outcomes
    connections: asyncio.Semaphore
    """Of all lanes together."""
    contents: Contents


class Lane:
    """Kept while its destination has mail: it remembers how many connections went well."""

    def __init__(self, destination: str, tools: Tools, most_connections: int) -> None:
        self.destination = destination
        self._tools = tools
        self._most = most_connections
        self._allowed = min(FIRST_CONNECTIONS, most_connections)
        self.failures = 0
        """Times in a row that no connection could be made."""

    async def carry(self, claimed: Sequence[tuple[Delivery, Acceptance]]) -> Trouble | None:
        """Hand over what is claimed. Answers with why not even one connection was of use."""
        jobs = _jobs(claimed)
        count = min(len(jobs), self._allowed)
        troubles = await asyncio.gather(*(self._connection(jobs) for _ in range(count)))
        found = [each for each in troubles if each is not None]
        if found:
            self._allowed = max(self._allowed // 2, 1)
        else:
            self._allowed = min(self._allowed * 2, self._most)
        if len(found) < count:
            self.failures = 0
            if jobs:  # left by connections that broke off: the others were at their end already
                return await self.carry([(row, job.acceptance) for job in jobs for row in job.deliveries])
            return None
        self.failures += 1
        for job in jobs:
            await self._tools.outcomes.failed(job.acceptance, job.deliveries, found[0])
        return found[0]

    async def _connection(self, jobs: deque[Job]) -> Trouble | None:
        """One connection after another, while there are jobs. Answers with why none was of use to anybody."""
        async with self._tools.connections:
            breaks, handed_over = 0, 0
            while jobs:
                try:
                    connection = await self._tools.connector.open(self.destination)
                except Trouble as trouble:
                    return None if handed_over else trouble
                try:
                    while jobs and not connection.client.is_spent:
                        await self._hand_over(connection, jobs.popleft())
                        breaks, handed_over = 0, handed_over + 1
                except _Spent as spent:
                    jobs.appendleft(spent.left)
                except _BrokenOff as broken:
                    breaks += 1
                    if breaks >= MOST_BREAKS:
                        return None if handed_over else broken.trouble
                finally:
                    await connection.client.quit()
        return None

    async def _hand_over(self, connection: Connection, job: Job) -> None:
        """Each recipient hears its own answer. Raises `_BrokenOff`."""
        client, host = connection.client, connection.host.name
        left = deque(batches(job.deliveries, client.abilities))
        while left:
            some = left.popleft()
            if (
                client.is_spent
            ):  # it takes no more messages (RFC 9422 section 4.1): the others go over the next connection
                raise _Spent(Job(job.acceptance, tuple(row for rows in [some, *left] for row in rows)))
            names = [each.recipient for each in some]
            self._tools.events.publish(
                QUEUE_TRY, journey=job.acceptance.journey, data={"recipients": names, "host": host}
            )
            try:
                message = await outgoing(self._tools.contents, job.acceptance, some)
            except Exception as fault:  # noqa: BLE001 - a message that cannot be read must not keep the others
                self._fault(job.acceptance, fault)
                trouble = Trouble("4.3.0", "its text cannot be read here; the log says why")
                await self._tools.outcomes.failed(job.acceptance, [*some, *chain(*left)], trouble)
                return
            sent = await client.send(message)
            again = await self._tell(job.acceptance, some, sent, host)
            if sent.broken is not None:
                if not isinstance(sent.broken, ChannelError | OSError):
                    self._fault(job.acceptance, sent.broken)
                trouble = told(sent.broken, client.step, host)
                rest = [row for row, answer in zip(some, sent.answers, strict=True) if answer is None]
                await self._tools.outcomes.failed(job.acceptance, [*rest, *again, *chain(*left)], trouble)
                raise _BrokenOff(trouble)
            if again:
                left.append(again)

    def _fault(self, accepted: Acceptance, fault: Exception) -> None:
        cause = f"relay to {self.destination}: {fault!r}"
        self._tools.events.publish(FAULT, journey=accepted.journey, cause=cause, data={"exception": fault})

    async def _tell(
        self, accepted: Acceptance, some: Sequence[Delivery], sent: Sent, host: str
    ) -> tuple[Delivery, ...]:
        """Write down who was answered what. Answers with those who were too many for one transaction."""
        answers = list(zip(some, sent.answers, strict=True))
        heard = [(row, answer) for row, answer in answers if isinstance(answer, Heard)]
        too_many: list[Delivery] = []
        if any(answer.is_good for _, answer in heard):
            too_many = [row for row, answer in heard if is_too_many(answer)]
            heard = [(row, answer) for row, answer in heard if not is_too_many(answer)]
        if heard:
            await self._tools.outcomes.answered(accepted, heard, host, reports=sent.has_dsn)
        for row, answer in answers:
            if isinstance(answer, Unfit):
                trouble = Trouble(answer.status, f"{answer.reason} ({host})", host=host)
                await self._tools.outcomes.failed(accepted, [row], trouble)
        return tuple(too_many)


class _Spent(Exception):
    """The connection has taken as many messages as it takes."""

    def __init__(self, left: Job) -> None:
        super().__init__()
        self.left = left


class _BrokenOff(Exception):
    """The connection is of no more use."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


def _jobs(claimed: Sequence[tuple[Delivery, Acceptance]]) -> deque[Job]:
    """Recipients of one message go together."""
    found: deque[Job] = deque()
    for _, rows in groupby(claimed, key=lambda row: row[1].journey):
        some = list(rows)
        found.append(Job(some[0][1], tuple(delivery for delivery, _ in some)))
    return found
