"""What came of a try, written into the ledger and told as events: taken, refused, to be tried again, given up."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.events.event import FAULT, QUEUE_DEFER, QUEUE_DONE, Events
from mailhost.ids import Millis
from mailhost.queue import claims
from mailhost.queue.claims import Result
from mailhost.queue.values import Acceptance, Delivery, Share, State
from mailhost.relay import deadline
from mailhost.relay.attempt import Trouble
from mailhost.relay.job import Job
from mailhost.relay.notices import Notices
from mailhost.relay.schedule import Schedule
from mailhost.smtp.client.heard import Heard
from mailhost.smtp.client.transaction import Sent

PAGE = 200
"""Messages that are put off in one transaction."""
WRITTEN_AGAIN = (1, 2, 4, 8, 15, *[30] * 26)
"""Seconds between tries to write down that a message was taken: a quarter of an hour, in which only a crash makes a duplicate."""


class Outcomes:
    """Each recipient has a result of its own."""

    def __init__(
        self,
        database: Database,
        notices: Notices,
        events: Events,
        schedule: Schedule,
        clock: Callable[[], Millis],
        waits: Callable[[Share, Millis], None],
    ) -> None:
        """`waits` hears what is to be tried again, and when."""
        self._database, self._notices, self._events = database, notices, events
        self._schedule, self._clock, self._waits = schedule, clock, waits

    async def still_due(self, rows: Sequence[Delivery]) -> tuple[Delivery, ...]:
        """What was held, put off or ended since it was claimed is given back."""
        due = await self._database.read(claims.still_due, [each.id for each in rows], self._clock())
        if len(due) < len(rows):
            await self._database.write(claims.let_go, [each.id for each in rows if each.id not in due])
        return tuple(each for each in rows if each.id in due)

    async def answered(
        self, accepted: Acceptance, said: Sequence[tuple[Delivery, Heard]], host: str, sent: Sent
    ) -> None:
        """The host has answered for each of these."""
        job = Job(accepted, tuple(delivery for delivery, _ in said))
        await self._settle(job, [self._result(accepted, *each, host, sent) for each in said])

    async def failed(self, accepted: Acceptance, deliveries: Sequence[Delivery], trouble: Trouble) -> None:
        """No host has answered for these."""
        job = Job(accepted, tuple(deliveries))
        await self._settle(job, self._failures(job, trouble))

    async def over(self, accepted: Acceptance, deliveries: Sequence[Delivery]) -> None:
        """They are too late for their sender: he gets them back (RFC 2852 section 4)."""
        job, at = Job(accepted, tuple(deliveries)), self.now()
        await self._settle(job, [deadline.expired(accepted, each, at) for each in deliveries])

    def is_over(self, accepted: Acceptance) -> bool:
        return deadline.is_over(accepted, self.now())

    def now(self) -> Millis:
        return self._clock()

    async def put_off(self, jobs: Iterable[Job], trouble: Trouble) -> None:
        """No host was there for any of them: those of which nobody is to hear are written down together."""
        page: list[tuple[Job, list[Result]]] = []
        for job in jobs:
            results = self._failures(job, trouble)
            if self._notices.follow(job.acceptance, job.deliveries, results):
                await self._settle(job, results)
            else:
                page.append((job, results))
            if len(page) == PAGE:
                await self._settle_together(page)
                page = []
        await self._settle_together(page)

    def _failures(self, job: Job, trouble: Trouble) -> list[Result]:
        heard = None if trouble.heard is None else str(trouble.heard)
        told = trouble.status, trouble.reason, heard, trouble.host
        if trouble.is_final:
            at = self._clock()
            return [Result(each.id, State.BOUNCED, *told, at) for each in job.deliveries]
        return [self._later_or_never(job.acceptance, each, *told) for each in job.deliveries]

    def _result(self, accepted: Acceptance, delivery: Delivery, said: Heard, host: str, sent: Sent) -> Result:
        at = self._clock()
        if said.is_good:
            result = Result(delivery.id, State.RELAYED, said.status, f"{host} took it", str(said), host, at)
            timed = deadline.tells_of_relay(accepted, keeps_time=sent.keeps_time)
            return replace(result, reports=sent.has_dsn, timed=timed)
        if said.is_final:
            return Result(delivery.id, State.BOUNCED, said.status, f"{host} refused it", str(said), host, at)
        return self._later_or_never(accepted, delivery, said.status, f"{host} asked to come again", str(said), host)

    def _later_or_never(
        self, accepted: Acceptance, delivery: Delivery, status: str, reason: str, reply: str | None, host: str | None
    ) -> Result:
        at = self._clock()
        if deadline.is_over(accepted, at):
            return deadline.expired(accepted, replace(delivery, tries=1, reason=reason, reply=reply, host=host), at)
        next_try = self._schedule.next_try(accepted.release_at or accepted.at, delivery.tries, at)
        state = State.EXPIRED if next_try is None else State.WAITING
        return Result(delivery.id, state, status, reason, reply, host, at, next_try)

    async def _settle(self, job: Job, results: Sequence[Result]) -> None:
        """What a host has taken is not sent again because we cannot write just now: raises `CommitFailed` only when that lasts."""
        pauses = iter(WRITTEN_AGAIN if any(each.state is State.RELAYED for each in results) else ())
        while True:
            try:
                await self._notices.settle(job.acceptance, job.deliveries, results)
                break
            except CommitFailed as failure:
                if (pause := next(pauses, None)) is None:
                    raise
                cause = f"relay: taken by its host, and not written down yet: {failure}"
                self._events.publish(FAULT, journey=job.acceptance.journey, cause=cause)
            await asyncio.sleep(pause)
        self._tell(job, results)

    async def _settle_together(self, page: Sequence[tuple[Job, Sequence[Result]]]) -> None:
        await self._database.write(claims.settle, [each for _, results in page for each in results])
        for job, results in page:
            self._tell(job, results)
        await asyncio.sleep(0)

    def _tell(self, job: Job, results: Sequence[Result]) -> None:
        rows = {each.id: each for each in job.deliveries}
        for each in results:
            if each.next_try is not None:
                self._waits(rows[each.delivery].share, each.next_try)
        tell(self._events, job, results)


def tell(events: Events, job: Job, results: Sequence[Result]) -> None:
    """What is in the ledger now."""
    rows = {each.id: each for each in job.deliveries}
    for each in results:
        row = rows[each.delivery]
        kind = QUEUE_DEFER if each.state is State.WAITING else QUEUE_DONE
        data = {
            "recipient": row.recipient,
            "state": each.state.name.lower(),
            "status": each.status,
            "host": each.host,
            "reply": each.reply,
        }
        events.publish(kind, journey=job.acceptance.journey, cause=each.reason, data=data)
