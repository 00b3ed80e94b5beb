"""One destination: what is due for it, over a few connections that are used again and again.

Nothing that happens here delays another destination. How many connections there may be grows with success and falls with failure.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from mailhost.database.database import Database
from mailhost.events.event import QUEUE_TRY, Events
from mailhost.queue.values import Acceptance, Delivery
from mailhost.relay.attempt import Connection, Connector, Trouble, told
from mailhost.relay.outcome import Outcomes
from mailhost.smtp.client.outgoing import Outgoing, To
from mailhost.store.octets import BlobStore
from mailhost.transport.channel import ChannelError

MOST_RECIPIENTS = 100
"""Of one transaction, where the host does not name another limit (RFC 5321 section 4.5.3.1.8)."""
FIRST_CONNECTIONS = 2


@dataclass(frozen=True, slots=True)
class Job:
    """One message for some recipients of one destination."""

    acceptance: Acceptance
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class Tools:
    """What all lanes share."""

    database: Database
    blobs: BlobStore
    events: Events
    connector: Connector
    outcomes: Outcomes
    connections: asyncio.Semaphore
    """Of all lanes together."""


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
        """One connection, while there are jobs. Answers with why it was of no use to anybody."""
        async with self._tools.connections:
            if not jobs:
                return None
            try:
                connection = await self._tools.connector.open(self.destination)
            except Trouble as trouble:
                return trouble
            answered = 0
            try:
                while jobs:
                    await self._hand_over(connection, jobs.popleft())
                    answered += 1
            except _BrokenOff as broken:
                return None if answered else broken.trouble
            finally:
                await connection.client.quit()
        return None

    async def _hand_over(self, connection: Connection, job: Job) -> None:
        """Each recipient hears its own answer. Raises `_BrokenOff`."""
        client, host, outcomes = connection.client, connection.host.name, self._tools.outcomes
        most = client.abilities.most_recipients or MOST_RECIPIENTS
        for start in range(0, len(job.deliveries), most):
            some = job.deliveries[start : start + most]
            names = [each.recipient for each in some]
            self._tools.events.publish(
                QUEUE_TRY, journey=job.acceptance.journey, data={"recipients": names, "host": host}
            )
            try:
                sent = await client.send(self._outgoing(job.acceptance, some))
            except (ChannelError, ConnectionError, TimeoutError) as problem:
                trouble = told(problem, client.step, host)
                await outcomes.failed(job.acceptance, job.deliveries[start:], trouble)
                raise _BrokenOff(trouble) from None
            answers = [sent.of(place) for place in range(len(some))]
            await outcomes.answered(
                job.acceptance,
                list(zip(some, answers, strict=True)),
                host,
                reports="DSN" in client.abilities,
            )

    def _outgoing(self, accepted: Acceptance, deliveries: Sequence[Delivery]) -> Outgoing:
        return Outgoing(
            accepted.reverse_path,
            [To(each.recipient, each.notify, each.original if ";" in each.original else None) for each in deliveries],
            accepted.size,
            lambda: self._pieces(accepted),
            is_8bit=accepted.body != "7BIT" or accepted.smtputf8,
            smtputf8=accepted.smtputf8,
            ret=accepted.ret,
            envid=accepted.envid,
        )

    async def _pieces(self, accepted: Acceptance) -> AsyncIterator[bytes]:
        """Our own fields, never Return-Path or Delivered-To, then the octets as they were accepted."""
        yield accepted.prefix
        async for piece in self._tools.blobs.blob_pieces(accepted.blob, 0, accepted.size - len(accepted.prefix)):
            yield piece


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
