"""Of which deliveries the sender has heard: what a notice may be about, and that it goes out once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import and_, bindparam, func, or_, select, update

from mailhost.database.hot import Hot
from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import DeliveryId, JourneyId, Millis
from mailhost.queue.entries import HAS_FAILED, UNTOLD, acceptance_of, delivery_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, State

SUCCESS = "SUCCESS"
ASKED = delivery.c.notify.contains(SUCCESS, autoescape=True)
DONE_HERE = delivery.c.state.in_([int(State.STORED), int(State.EXPANDED)])
NEVER = Millis(0)
"""In place of the moment when the sender heard of it: it shall not, and the log has said why."""

MARK_FAILED = Hot(
    update(delivery)
    .where(delivery.c.id == bindparam("which"), HAS_FAILED, delivery.c.told_at.is_(None))
    .values(told_at=bindparam("moment")),
    "which",
    "moment",
)
"""One by one: of thousands, no planner without statistics finds a better way."""


@dataclass(frozen=True, slots=True)
class DoneHere:
    """Of one message, what ended at this server and its sender asked to hear of."""

    acceptance: Acceptance
    deliveries: tuple[Delivery, ...]
    children: dict[DeliveryId, int]
    """How many addresses an alias stood for."""


def still_waiting(tx: Transaction, ids: Sequence[DeliveryId]) -> set[DeliveryId]:
    """Those that nobody else has finished; nobody does before this transaction ends."""
    mine = one_of(delivery.c.id, ids)
    return set(
        tx.execute(select(delivery.c.id).where(mine, delivery.c.state == State.WAITING).with_for_update()).scalars()
    )


@long
def waiting_elsewhere(tx: Transaction, journey: JourneyId) -> list[Delivery]:
    """Recipients of one message that wait for other hosts, and are not held by an administrator."""
    rows = tx.execute(
        select(delivery)
        .where(
            delivery.c.acceptance_id == journey,
            delivery.c.state == State.WAITING,
            delivery.c.destination != "",
            delivery.c.hold == 0,
        )
        .order_by(delivery.c.id)
    )
    return [delivery_of(row) for row in rows]


def waiting(tx: Transaction, journey: JourneyId) -> list[Delivery]:
    """Recipients of one message that wait, be it for another host or for a mailbox here."""
    rows = tx.execute(
        select(delivery)
        .where(delivery.c.acceptance_id == journey, delivery.c.state == State.WAITING, delivery.c.hold == 0)
        .order_by(delivery.c.id)
    )
    return [delivery_of(row) for row in rows]


def tell(tx: Transaction, ids: Sequence[DeliveryId], at: Millis) -> bool:
    """The sender hears of these now. False when he has heard of all of them before."""
    mine = one_of(delivery.c.id, ids)
    return tx.execute(update(delivery).where(mine, delivery.c.told_at.is_(None)).values(told_at=at)).rowcount > 0


def done_here(tx: Transaction, journey: JourneyId) -> DoneHere | None:
    """What is to be told of one message; None when nothing is."""
    row = tx.execute(select(acceptance).where(acceptance.c.id == journey)).one_or_none()
    rows = tx.execute(
        select(delivery)
        .where(delivery.c.acceptance_id == journey, DONE_HERE, ASKED, delivery.c.told_at.is_(None))
        .order_by(delivery.c.id)
    )
    deliveries = tuple(delivery_of(each) for each in rows)
    if row is None or not deliveries:
        return None
    of_aliases = one_of(delivery.c.parent_id, [each.id for each in deliveries])
    counted = tx.execute(
        select(delivery.c.parent_id, func.count().label("children")).where(of_aliases).group_by(delivery.c.parent_id)
    )
    return DoneHere(acceptance_of(row), deliveries, {each.parent_id: each.children for each in counted})


@long
def is_under_way(tx: Transaction, journey: JourneyId, besides: Sequence[DeliveryId], at: Millis) -> bool:
    """Whether others of its recipients are being carried now, or are to be."""
    due = and_(delivery.c.hold == 0, delivery.c.next_try <= at)
    others = (
        select(delivery.c.id)
        .where(
            delivery.c.acceptance_id == journey,
            delivery.c.state == State.WAITING,
            delivery.c.destination != "",
            or_(due, delivery.c.leased_until >= at),
            ~one_of(delivery.c.id, besides),
        )
        .limit(1)
    )
    return tx.execute(others).first() is not None


@long
def failed(tx: Transaction, journey: JourneyId, most: int) -> tuple[Acceptance, list[Delivery]] | None:
    """What of one message has failed, and its sender is to hear of; None where nothing is."""
    row = tx.execute(select(acceptance).where(acceptance.c.id == journey)).one_or_none()
    rows = tx.execute(
        select(delivery).where(delivery.c.acceptance_id == journey, UNTOLD).order_by(delivery.c.id).limit(most)
    )
    found = [delivery_of(each) for each in rows]
    return (acceptance_of(row), found) if row is not None and found else None


@long
def journeys_failed(tx: Transaction, after: int, most: int) -> list[JourneyId]:
    """Messages of which `failed` has something to tell, in their order from one on: after a crash, say."""
    rows = tx.execute(
        select(delivery.c.acceptance_id)
        .join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(UNTOLD, acceptance.c.reverse_path != "", delivery.c.acceptance_id > after)
        .distinct()
        .order_by(delivery.c.acceptance_id)
        .limit(most)
    )
    return [JourneyId(each) for each in rows.scalars()]


def to_tell(tx: Transaction, ids: Sequence[DeliveryId]) -> None:
    """These have just failed: whatever the sender heard of them before, he has not heard of that."""
    mine = one_of(delivery.c.id, ids)
    tx.execute(update(delivery).where(mine, delivery.c.told_at.is_not(None)).values(told_at=None))


def tell_failed(tx: Transaction, journey: JourneyId, ids: Sequence[DeliveryId], at: Millis) -> bool:
    """The sender hears now that these have failed. False, and nothing is done, where that is true of some no more, or was told."""
    untold = (
        select(delivery.c.id)
        .where(delivery.c.acceptance_id == journey, HAS_FAILED, delivery.c.told_at.is_(None))
        .with_for_update()
    )
    if not set(tx.execute(untold).scalars()).issuperset(ids):
        return False
    tx.many(MARK_FAILED, [(each, at) for each in ids])
    return True


def silence(tx: Transaction, ids: Sequence[DeliveryId]) -> None:
    """Nobody shall hear of these."""
    tx.many(MARK_FAILED, [(each, NEVER) for each in ids])


@long
def untold_since(tx: Transaction, first: int, most: int) -> list[JourneyId]:
    """Messages of which `done_here` has something to tell, among those from an identifier on; after a crash, say."""
    rows = tx.execute(
        select(delivery.c.acceptance_id)
        .where(delivery.c.id >= first, DONE_HERE, ASKED, delivery.c.told_at.is_(None))
        .distinct()
        .limit(most)
    )
    return [JourneyId(each) for each in rows.scalars()]
