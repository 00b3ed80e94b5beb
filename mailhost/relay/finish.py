"""What a try came to and what the sender hears of it, in one transaction: no failure without its notice, no notice of nothing."""

from collections.abc import Sequence
from dataclasses import dataclass

from mailhost.database.errors import Refused
from mailhost.database.marks import long_by
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import Accepted, AcceptRequest, accept
from mailhost.ids import DeliveryId
from mailhost.queue import claims, told
from mailhost.queue.claims import Result


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice, ready to be accepted as any mail is."""

    request: AcceptRequest
    about: tuple[DeliveryId, ...]
    """Of which recipients it tells."""
    told: tuple[DeliveryId, ...] = ()
    """Of which the sender shall not hear such a thing again; when it has heard of all of them already, this notice does not go out."""


@long_by(lambda results, _: len(results))
def finish(tx: Transaction, results: Sequence[Result], notices: Sequence[Notice]) -> list[Accepted | None]:
    """Settle, and accept the notices. Answers for each notice; None for one that came too late: others have ended or told it."""
    waiting = told.still_waiting(tx, [each.delivery for each in results]) if notices else set()
    claims.settle(tx, results)
    return [_send(tx, each, waiting) for each in notices]


def _send(tx: Transaction, notice: Notice, waiting: set[DeliveryId]) -> Accepted | None:
    at = notice.request.acceptance.at
    if not (told.tell(tx, notice.told, at) if notice.told else not waiting.isdisjoint(notice.about)):
        return None
    (accepted,) = accept(tx, [notice.request])
    assert not isinstance(accepted, Refused)
    return accepted
