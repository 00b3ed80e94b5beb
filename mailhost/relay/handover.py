"""One message for some recipients of one destination, over a connection that is there: each recipient hears its own answer."""

from collections import deque
from collections.abc import Sequence
from itertools import chain

from mailhost.events.event import FAULT, QUEUE_TRY, Events
from mailhost.queue.values import Acceptance, Delivery
from mailhost.relay.attempt import Connection, Trouble, told
from mailhost.relay.contents import Contents
from mailhost.relay.envelope import batches, is_too_many, outgoing
from mailhost.relay.job import Job
from mailhost.relay.lease import LeaseOver
from mailhost.relay.outcome import Outcomes
from mailhost.smtp.client.dialogue import Declined
from mailhost.smtp.client.heard import Heard
from mailhost.smtp.client.transaction import Sent, Unfit
from mailhost.transport.channel import ChannelError, EndOfInput


class Spent(Exception):
    """The connection has taken as many messages as it takes."""

    def __init__(self, left: Job) -> None:
        super().__init__()
        self.left = left


class BrokenOff(Exception):
    """The connection is of no more use."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


class HandOver:
    """The same for all destinations."""

    def __init__(self, contents: Contents, outcomes: Outcomes, events: Events) -> None:
        self._contents, self._outcomes, self._events = contents, outcomes, events

    async def __call__(self, connection: Connection, job: Job) -> None:
        """Raises `Spent`, `BrokenOff`, `LeaseOver`."""
        if job.lease is not None and job.lease.is_over:
            raise LeaseOver
        client, host = connection.client, connection.host.name
        if connection.wire is not None:
            connection.wire.journey = job.acceptance.journey
        left = deque(batches(job.deliveries, client.abilities))
        while left:
            some = left.popleft()
            if (
                client.is_spent
            ):  # it takes no more messages (RFC 9422 section 4.1): the others go over the next connection
                raise Spent(_left(job, some, left))
            if self._outcomes.is_over(job.acceptance):
                await self._outcomes.over(job.acceptance, [*some, *chain(*left)])
                return
            if not (some := await self._outcomes.still_due(some)):
                continue
            names = [each.recipient for each in some]
            self._events.publish(QUEUE_TRY, journey=job.acceptance.journey, data={"recipients": names, "host": host})
            try:
                message = await outgoing(self._contents, job.acceptance, some, self._outcomes.now())
            except Exception as fault:  # noqa: BLE001 - a message that cannot be read must not keep the others
                self._fault(job.acceptance, fault)
                trouble = Trouble("4.3.0", "its text cannot be read here; the log says why")
                await self._outcomes.failed(job.acceptance, [*some, *chain(*left)], trouble)
                return
            sent = await client.send(message)
            if _was_closed_before(sent, connection):
                raise Spent(_left(job, some, left))
            again = await self._tell(job.acceptance, some, sent, host)
            if any(sent.answers):
                connection.messages += 1
            if sent.broken is not None and all(sent.answers) and not again and not left:
                return  # it broke off behind its last answer, at RSET, say: that is no trouble
            if sent.broken is not None:
                if not isinstance(sent.broken, ChannelError | OSError):
                    self._fault(job.acceptance, sent.broken)
                trouble = told(sent.broken, client.step, host)
                rest = [row for row, answer in zip(some, sent.answers, strict=True) if answer is None]
                await self._outcomes.failed(job.acceptance, [*rest, *again, *chain(*left)], trouble)
                raise BrokenOff(trouble)
            if again:
                left.append(again)

    def _fault(self, accepted: Acceptance, fault: Exception) -> None:
        cause = f"relay: {fault!r}"
        self._events.publish(FAULT, journey=accepted.journey, cause=cause, data={"exception": fault})

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
            await self._outcomes.answered(accepted, heard, host, sent)
        unfit: dict[Unfit, list[Delivery]] = {}
        for row, answer in answers:
            if isinstance(answer, Unfit):
                unfit.setdefault(answer, []).append(row)
        for why, rows in unfit.items():
            trouble = Trouble(why.status, f"{why.reason} ({host})", host=host)
            await self._outcomes.failed(accepted, rows, trouble)
        return tuple(too_many)


def _was_closed_before(sent: Sent, connection: Connection) -> bool:
    """A connection that was kept: its host has ended it meanwhile, or takes no more over it, and says nothing of this message."""
    if not connection.messages or connection.client.step != "MAIL" or any(sent.answers):
        return False
    return isinstance(sent.broken, Declined | EndOfInput | ConnectionError)


def _left(job: Job, some: Sequence[Delivery], left: Sequence[Sequence[Delivery]]) -> Job:
    return Job(job.acceptance, (*some, *chain(*left)), job.lease)
