"""What came of a try, written into the ledger and told as events: taken, refused, to be tried again, given up."""

from collections.abc import Callable, Sequence

from mailhost.events.event import QUEUE_DEFER, QUEUE_DONE, Events
from mailhost.ids import Millis
from mailhost.queue.claims import Result
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.relay.attempt import Trouble
from mailhost.relay.notices import Notices
from mailhost.relay.schedule import Schedule
from mailhost.smtp.client.heard import Heard


class Outcomes:
    """Each recipient has a result of its own."""

    def __init__(self, notices: Notices, events: Events, schedule: Schedule, clock: Callable[[], Millis]) -> None:
        self._notices, self._events = notices, events
        self._schedule, self._clock = schedule, clock

    async def answered(
        self, accepted: Acceptance, said: Sequence[tuple[Delivery, Heard]], host: str, *, reports: bool
    ) -> None:
        """The host has answered for each of these."""
        deliveries = [delivery for delivery, _ in said]
        await self._settle(accepted, deliveries, [self._result(accepted, *each, host, reports) for each in said])

    async def failed(self, accepted: Acceptance, deliveries: Sequence[Delivery], trouble: Trouble) -> None:
        """No host has answered for these."""
        heard = None if trouble.heard is None else str(trouble.heard)
        told = trouble.status, trouble.reason, heard, trouble.host
        if trouble.is_final:
            at = self._clock()
            results = [Result(each.id, State.BOUNCED, *told, at) for each in deliveries]
        else:
            results = [self._later_or_never(accepted, each, *told) for each in deliveries]
        await self._settle(accepted, deliveries, results)

    def _result(self, accepted: Acceptance, delivery: Delivery, said: Heard, host: str, reports: bool) -> Result:
        at = self._clock()
        if said.is_good:
            return Result(
                delivery.id, State.RELAYED, said.status, f"{host} took it", str(said), host, at, reports=reports
            )
        if said.is_final:
            return Result(delivery.id, State.BOUNCED, said.status, f"{host} refused it", str(said), host, at)
        return self._later_or_never(accepted, delivery, said.status, f"{host} asked to come again", str(said), host)

    def _later_or_never(
        self, accepted: Acceptance, delivery: Delivery, status: str, reason: str, reply: str | None, host: str | None
    ) -> Result:
        at = self._clock()
        next_try = self._schedule.next_try(accepted.release_at or accepted.at, delivery.tries, at)
        state = State.EXPIRED if next_try is None else State.WAITING
        return Result(delivery.id, state, status, reason, reply, host, at, next_try)

    async def _settle(self, accepted: Acceptance, deliveries: Sequence[Delivery], results: Sequence[Result]) -> None:
        await self._notices.settle(accepted, deliveries, results)
        recipients = {each.id: each.recipient for each in deliveries}
        for each in results:
            kind = QUEUE_DEFER if each.state is State.WAITING else QUEUE_DONE
            data = {
                "recipient": recipients[each.delivery],
                "state": each.state.name.lower(),
                "status": each.status,
                "host": each.host,
                "reply": each.reply,
            }
            self._events.publish(kind, journey=accepted.journey, cause=each.reason, data=data)
