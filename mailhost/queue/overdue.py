"""Messages that are late by their senders' own time (DELIVERBY, RFC 2852): found when it is over, whenever their next try may be."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, and_, exists, or_, select, update

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import JourneyId, Millis
from mailhost.queue.entries import acceptance_of, delivery_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, State

WAITS = and_(delivery.c.state == State.WAITING, delivery.c.hold == 0)
TO_RETURN, TO_NOTIFY = acceptance.c.by_mode.startswith("R"), acceptance.c.by_mode.startswith("N")
IS_UNTOLD = and_(acceptance.c.deliver_by > acceptance.c.at, delivery.c.told_at.is_(None))
"""One that was late when it came was told of by another host."""


@long
def next_moment(tx: Transaction, now: Millis) -> Millis | None:
    """When the next one that waits is late. What is late and under way at this moment is left to who has it."""
    its = or_(acceptance.c.deliver_by > now, _is_free(now))
    moments = select(acceptance.c.deliver_by).where(*_timed(its)).order_by(acceptance.c.deliver_by).limit(1)
    found: Millis | None = tx.execute(moments).scalar_one_or_none()
    return found


@long
def late(tx: Transaction, now: Millis, most: int) -> list[Acceptance]:
    """Those to be returned or told of, the latest first."""
    rows = tx.execute(
        select(acceptance)
        .where(acceptance.c.deliver_by <= now, *_timed(_is_free(now)))
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


def _timed(to_return: ColumnElement[bool]) -> tuple[ColumnElement[bool], ...]:
    """Found by the index of those that have a time, however much waits."""
    mine = or_(and_(TO_RETURN, to_return), and_(TO_NOTIFY, IS_UNTOLD))
    return acceptance.c.deliver_by.is_not(None), exists().where(
        delivery.c.acceptance_id == acceptance.c.id, WAITS, mine
    )


def _is_free(now: Millis) -> ColumnElement[bool]:
    return or_(delivery.c.leased_until.is_(None), delivery.c.leased_until < now)
