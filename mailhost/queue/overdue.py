"""Messages that are late by their senders' own time (DELIVERBY, RFC 2852): found when it is over, whenever their next try may be."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, or_, select, update

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import JourneyId, Millis
from mailhost.queue.entries import ACCEPTANCE_COLUMNS, acceptance_of, delivery_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, State

WITH_ROWS = acceptance.join(delivery, acceptance.c.id == delivery.c.acceptance_id)
WAITS = and_(delivery.c.state == State.WAITING, delivery.c.hold == 0)
TO_TELL = and_(
    acceptance.c.by_mode.startswith("N"),
    acceptance.c.deliver_by > acceptance.c.at,  # else another host has told it
    delivery.c.told_at.is_(None),
)


@long
def next_moment(tx: Transaction, now: Millis) -> Millis | None:
    """When the next one that waits is late. What somebody has under way at this moment is left to him."""
    moments = select(acceptance.c.deliver_by).select_from(WITH_ROWS).where(*_timed(now))
    found: Millis | None = tx.execute(moments.order_by(acceptance.c.deliver_by).limit(1)).scalar_one_or_none()
    return found


@long
def late(tx: Transaction, now: Millis, most: int) -> list[Acceptance]:
    """Those to be returned or told of, the latest first."""
    rows = tx.execute(
        select(*ACCEPTANCE_COLUMNS)
        .select_from(WITH_ROWS)
        .where(acceptance.c.deliver_by <= now, *_timed(now))
        .distinct()
        .order_by(acceptance.c.deliver_by)
        .limit(most)
    )
    return [acceptance_of(row) for row in rows]


def seize(tx: Transaction, journey: JourneyId, claimant: str, now: Millis, until: Millis) -> Sequence[Delivery]:
    """The recipients of one message that nobody has under way: they are the claimant's, and nobody else sends to them."""
    rows = tx.execute(
        select(delivery)
        .where(delivery.c.acceptance_id == journey, WAITS, _is_free(now))
        .order_by(delivery.c.id)
        .with_for_update()
    )
    found = [delivery_of(row) for row in rows]
    ids = one_of(delivery.c.id, [each.id for each in found])
    tx.execute(update(delivery).where(ids).values(leased_by=claimant, leased_until=until))
    return found


def _timed(now: Millis) -> tuple[ColumnElement[bool], ...]:
    to_return = and_(acceptance.c.by_mode.startswith("R"), _is_free(now))
    return acceptance.c.deliver_by.is_not(None), WAITS, or_(to_return, TO_TELL)


def _is_free(now: Millis) -> ColumnElement[bool]:
    return or_(delivery.c.leased_until.is_(None), delivery.c.leased_until < now)
