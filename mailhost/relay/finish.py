"""What a try came to and what the sender hears of it, in one transaction: no failure without its notice, no notice of nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.database.errors import Refused
from mailhost.database.marks import long_by
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import Accepted, AcceptRequest, accept
from mailhost.events.event import NOTICE_SENT
from mailhost.ids import DeliveryId, EventId, JourneyId, fresh, text_of
from mailhost.queue import claims, told
from mailhost.queue.claims import Result
from mailhost.queue.entries import FAILED
from mailhost.relay.wishes import Kind
from mailhost.trace import entries
from mailhost.trace.values import Entry


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice, ready to be accepted as any mail is."""

    request: AcceptRequest
    kind: Kind
    journey: JourneyId
    """Of the message that it tells of."""
    to: str
    about: tuple[DeliveryId, ...]
    """Of which recipients it tells."""
    told: tuple[DeliveryId, ...] = ()
    """Of which the sender shall not hear such a thing again; when it has heard of all of them already, this notice does not go out."""


@long_by(lambda results, notices, *_: len(results) + sum(len(each.about) for each in notices))
def finish(
    tx: Transaction,
    results: Sequence[Result],
    notices: Sequence[Notice],
    withheld: Sequence[DeliveryId] = (),
    acts: Sequence[Entry] = (),
) -> list[Accepted | None]:
    """Settle, and accept the notices. Answers for each notice; None for one that came too late: others have ended or told it.

    `withheld`: failures that nobody shall hear of.
    """
    failed = {each.delivery for each in results if each.state in FAILED}
    waiting = told.still_waiting(tx, [each.delivery for each in results]) if notices or failed else set()
    claims.settle(tx, results)
    told.to_tell(tx, sorted(failed & waiting))
    told.silence(tx, withheld)
    entries.insert_many(tx, acts)
    return [_send(tx, each, waiting) for each in notices]


def _send(tx: Transaction, notice: Notice, waiting: set[DeliveryId]) -> Accepted | None:
    if not _is_news(tx, notice, waiting):
        return None
    (accepted,) = accept(tx, [notice.request])
    assert not isinstance(accepted, Refused)
    entries.insert_many(tx, _traces(notice))
    return accepted


def _is_news(tx: Transaction, notice: Notice, waiting: set[DeliveryId]) -> bool:
    at = notice.request.acceptance.at
    if notice.kind is Kind.FAILED:
        return told.tell_failed(tx, notice.journey, notice.about, at)
    return told.tell(tx, notice.told, at) if notice.told else not waiting.isdisjoint(notice.about)


def _traces(notice: Notice) -> list[Entry]:
    """The two journeys name each other."""
    its = notice.request.acceptance
    tells = {"notice": text_of(its.journey), "tells": notice.kind.name.lower(), "to": notice.to}
    return [
        Entry(EventId(fresh()), its.at, NOTICE_SENT, tells, journey=notice.journey),
        Entry(EventId(fresh()), its.at, NOTICE_SENT, {"about": text_of(notice.journey)}, journey=its.journey),
    ]
