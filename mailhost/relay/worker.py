"""The relay: takes what is due from the ledger, destination by destination, and carries it to the next host.

It is woken by a commit and by the time of the next try, never by looking again and again. A destination that is slow or dead
keeps its own lane busy and nobody else's.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.events.event import FAULT, QUEUE_DEFER, QUEUE_DONE, QUEUE_TRY, Events
from mailhost.ids import Millis, now
from mailhost.queue import claims
from mailhost.queue.changes import Queued
from mailhost.queue.claims import Claim, Result
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.relay.attempt import Connection, Connector, Trouble, told
from mailhost.relay.schedule import Schedule
from mailhost.smtp.client.heard import Heard
from mailhost.smtp.client.outgoing import Outgoing, To
from mailhost.store.octets import BlobStore
from mailhost.transport.channel import ChannelError

MOST_CLAIMED = 200
"""Rows that one lane has at a time."""
MOST_RECIPIENTS = 100
"""Of one transaction, where the host does not name another limit (RFC 5321 section 4.5.3.1.8)."""
LEASE = timedelta(minutes=15)
RENEW_EVERY = timedelta(minutes=5)
FAILED_AGAIN = timedelta(seconds=5)
"""After the database could not be written."""


@dataclass(frozen=True, slots=True)
class Job:
    """One message for some recipients of one destination."""

    acceptance: Acceptance
    deliveries: tuple[Delivery, ...]


@dataclass(frozen=True, slots=True)
class LaneSettings:
    most_connections: int = 10
    """To one destination."""
    most_in_all: int = 100


class Relay:
    """The background task."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        events: Events,
        connector: Connector,
        claimant: str,
        schedule: Schedule | None = None,
        lanes: LaneSettings = LaneSettings(),
        clock: Callable[[], Millis] = now,
    ) -> None:
        self._database, self._blobs, self._events = database, blobs, events
        self._connector, self._claimant = connector, claimant
        self._schedule = schedule or Schedule()
        self._lanes = lanes
        self._clock = clock
        self._wake = asyncio.Event()
        self._due: dict[str, Millis] = {}
        """Destinations that something waits for, each with the time of its next try; those in a lane are not among them."""
        self._running: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        """Destinations for which more came while their lane ran."""
        self._connections = asyncio.Semaphore(lanes.most_in_all)
        self._look = False
        """Whether another process changed the queue: who waits for what must be read again."""
        database.subscribe(self._published)

    def look(self) -> None:
        """Somebody else queued, released or changed something: a hint, or a task that has nothing better to say."""
        self._look = True
        self._wake.set()

    async def run(self) -> None:
        """Until it is cancelled; what is under way then is broken off, and tried again by the next one."""
        await self._database.write(claims.release, self._claimant)
        self._due = await self._database.read(claims.due)
        renewing = asyncio.ensure_future(self._renew())
        try:
            while True:
                self._wake.clear()
                if self._look:
                    await self._look_again()
                moment = self._clock()
                for destination in [name for name, at in self._due.items() if at <= moment]:
                    del self._due[destination]
                    self._running[destination] = asyncio.ensure_future(self._lane(destination))
                await self._pause()
        finally:
            renewing.cancel()
            for task in self._running.values():
                task.cancel()
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def _look_again(self) -> None:
        self._look = False
        for destination, at in (await self._database.read(claims.due)).items():
            if destination in self._running:
                self._again.add(destination)
            else:
                self._due[destination] = at

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
                    if destination in self._running:
                        self._again.add(destination)
                    else:
                        self._due[destination] = min(self._due.get(destination, self._clock()), self._clock())
                self._wake.set()

    # One destination.

    async def _lane(self, destination: str) -> None:
        """All that is due for it; afterwards its next time is known."""
        try:
            while claimed := await self._claim(destination):
                await self._carry(destination, _jobs(claimed))
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
            self._due[destination] = at
        self._wake.set()

    async def _claim(self, destination: str) -> list[tuple[Delivery, Acceptance]]:
        claim = Claim((destination,), self._claimant, self._clock(), self._later(LEASE), MOST_CLAIMED)
        return await self._database.write(claims.take, claim)

    async def _carry(self, destination: str, jobs: deque[Job]) -> None:
        """Over a few connections, each used again and again."""
        count = min(len(jobs), self._lanes.most_connections)
        await asyncio.gather(*(self._connection(destination, jobs) for _ in range(count)))

    async def _connection(self, destination: str, jobs: deque[Job]) -> None:
        async with self._connections:
            if not jobs:
                return
            try:
                connection = await self._connector.open(destination)
            except Trouble as trouble:
                while jobs:
                    await self._failed(jobs.popleft(), trouble)
                return
            try:
                while jobs:
                    await self._hand_over(connection, jobs.popleft())
            except _BrokenOff:
                return
            finally:
                await connection.client.quit()

    async def _hand_over(self, connection: Connection, job: Job) -> None:
        client, host = connection.client, connection.host.name
        most = client.abilities.most_recipients or MOST_RECIPIENTS
        for start in range(0, len(job.deliveries), most):
            some = job.deliveries[start : start + most]
            self._tell(QUEUE_TRY, job, some, host=host)
            try:
                sent = await client.send(self._outgoing(Job(job.acceptance, some)))
            except (ChannelError, ConnectionError, TimeoutError) as problem:
                await self._failed(Job(job.acceptance, job.deliveries[start:]), told(problem, client.step, host))
                raise _BrokenOff from None
            answers = [sent.of(place) for place in range(len(some))]
            await self._settle(
                job, [self._result(job, each, said, host) for each, said in zip(some, answers, strict=True)]
            )

    def _outgoing(self, job: Job) -> Outgoing:
        accepted = job.acceptance
        return Outgoing(
            accepted.reverse_path,
            [To(each.recipient, each.notify, each.original if each.notify else None) for each in job.deliveries],
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
        async for piece in self._blobs.blob_pieces(accepted.blob, 0, accepted.size - len(accepted.prefix)):
            yield piece

    # What came of it.

    def _result(self, job: Job, delivery: Delivery, said: Heard, host: str) -> Result:
        at = self._clock()
        if said.is_good:
            return Result(delivery.id, State.RELAYED, said.status, f"{host} took it", str(said), host, at)
        if said.is_final:
            return Result(delivery.id, State.BOUNCED, said.status, f"{host} refused it", str(said), host, at)
        return self._later_or_never(job, delivery, said.status, f"{host} asked to come again", str(said), host)

    async def _failed(self, job: Job, trouble: Trouble) -> None:
        heard = None if trouble.heard is None else str(trouble.heard)
        if trouble.is_final:
            at = self._clock()
            results = [
                Result(each.id, State.BOUNCED, trouble.status, trouble.reason, heard, trouble.host, at)
                for each in job.deliveries
            ]
        else:
            results = [
                self._later_or_never(job, each, trouble.status, trouble.reason, heard, trouble.host)
                for each in job.deliveries
            ]
        await self._settle(job, results)

    def _later_or_never(
        self, job: Job, delivery: Delivery, status: str, reason: str, reply: str | None, host: str | None
    ) -> Result:
        at = self._clock()
        begun = job.acceptance.release_at or job.acceptance.at
        next_try = self._schedule.next_try(begun, delivery.tries, at)
        state = State.EXPIRED if next_try is None else State.WAITING
        return Result(delivery.id, state, status, reason, reply, host, at, next_try)

    async def _settle(self, job: Job, results: Sequence[Result]) -> None:
        await asyncio.gather(*(self._database.write(claims.settle, each) for each in results))
        recipients = {each.id: each.recipient for each in job.deliveries}
        for each in results:
            kind = QUEUE_DEFER if each.state is State.WAITING else QUEUE_DONE
            data = {
                "recipient": recipients[each.delivery],
                "state": each.state.name.lower(),
                "status": each.status,
                "host": each.host,
                "reply": each.reply,
            }
            self._events.publish(kind, journey=job.acceptance.journey, cause=each.reason, data=data)

    def _tell(self, kind: str, job: Job, some: Sequence[Delivery], **data: str) -> None:
        self._events.publish(
            kind, journey=job.acceptance.journey, data={"recipients": [each.recipient for each in some], **data}
        )

    def _later(self, wait: timedelta) -> Millis:
        return Millis(self._clock() + wait // timedelta(milliseconds=1))


class _BrokenOff(Exception):
    """The connection is of no more use."""


def _jobs(claimed: Sequence[tuple[Delivery, Acceptance]]) -> deque[Job]:
    """Recipients of one message go together."""
    found: deque[Job] = deque()
    for _, rows in groupby(claimed, key=lambda row: row[1].journey):
        some = list(rows)
        found.append(Job(some[0][1], tuple(delivery for delivery, _ in some)))
    return found
