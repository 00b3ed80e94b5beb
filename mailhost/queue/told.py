"""Of which deliveries the sender has heard: what a notice may be about, and that it goes out once."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select, update

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import DeliveryId, JourneyId, Millis
from mailhost.queue.entries import acceptance_of, delivery_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, State

SUCCESS = "SUCCESS"
ASKED = delivery.c.notify.contains(SUCCESS, autoescape=True)
DONE_HERE = delivery.c.state.in_([int(State.STORED), int(State.EXPANDED)])


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
def untold_since(tx: Transaction, first: int, most: int) -> list[JourneyId]:
    """Messages of which `done_here` has something to tell, among those from an identifier on; after a crash, say."""
    rows = tx.execute(
        select(delivery.c.acceptance_id)
        .where(delivery.c.id >= first, DONE_HERE, ASKED, delivery.c.told_at.is_(None))
        .distinct()
        .limit(most)
    )
    return [JourneyId(each) for each in rows.scalars()]
