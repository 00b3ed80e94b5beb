"""What is due for other hosts: claimed with a lease by whoever carries it, and settled with what came of it.

A crash costs a lease, never a message: rows of a claimant that is gone are free when it starts again, or when the lease is over.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, or_, select, update

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import DeliveryId, Millis
from mailhost.queue.entries import acceptance_of, delivery_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, State

ELSEWHERE = and_(delivery.c.state == State.WAITING, delivery.c.destination != "", delivery.c.hold == 0)


@dataclass(frozen=True, slots=True)
class Claim:
    """Who takes how much of what is due, and until when it is his."""

    destinations: tuple[str, ...]
    claimant: str
    now: Millis
    until: Millis
    most: int


@dataclass(frozen=True, slots=True)
class Result:
    """What one try came to, for one recipient."""

    delivery: DeliveryId
    state: State
    status: str
    """RFC 3463."""
    reason: str
    """In plain words."""
    reply: str | None
    """What the host said; None when it said nothing."""
    host: str | None
    at: Millis
    next_try: Millis | None = None
    """For one that waits on."""
    reports: bool = False
    """Whether the host has DSN, and tells the sender itself (RFC 3461 section 5.2.1)."""


def take(tx: Transaction, claim: Claim) -> list[tuple[Delivery, Acceptance]]:
    """Due deliveries that nobody has, those of one message together; they are the claimant's now."""
    free = or_(delivery.c.leased_until.is_(None), delivery.c.leased_until < claim.now)
    ids = list(
        tx.execute(
            select(delivery.c.id)
            .where(ELSEWHERE, one_of_texts(claim.destinations), delivery.c.next_try <= claim.now, free)
            .order_by(delivery.c.next_try, delivery.c.acceptance_id)
            .limit(claim.most)
            .with_for_update(skip_locked=True)
        ).scalars()
    )
    if not ids:
        return []
    mine = one_of(delivery.c.id, ids)
    tx.execute(update(delivery).where(mine).values(leased_by=claim.claimant, leased_until=claim.until))
    rows = tx.execute(
        select(delivery, acceptance)
        .join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(mine)
        .order_by(delivery.c.acceptance_id, delivery.c.id)
    )
    return [(delivery_of(row), acceptance_of(row)) for row in rows]


def one_of_texts(destinations: Sequence[str]) -> ColumnElement[bool]:
    return delivery.c.destination.in_(destinations)


def settle(tx: Transaction, results: Sequence[Result]) -> None:
    """Each row has its final state, or its next try; the lease is given back."""
    for each in results:
        is_waiting = each.state is State.WAITING
        tx.execute(
            update(delivery)
            .where(delivery.c.id == each.delivery, delivery.c.state == State.WAITING)
            .values(
                state=int(each.state),
                reason=each.reason,
                status=each.status,
                last_reply=each.reply,
                host=each.host,
                next_try=each.next_try if is_waiting else None,
                finished_at=None if is_waiting else each.at,
                tries=delivery.c.tries + 1,
                leased_by=None,
                leased_until=None,
            )
        )


def renew(tx: Transaction, claimant: str, until: Millis) -> None:
    tx.execute(update(delivery).where(delivery.c.leased_by == claimant).values(leased_until=until))


def release(tx: Transaction, claimant: str, destinations: Sequence[str] | None) -> int:
    """What a claimant that is gone had, or has given up for some destinations: it is due again."""
    his = delivery.c.leased_by == claimant
    where = his if destinations is None else and_(his, one_of_texts(destinations))
    return tx.execute(update(delivery).where(where).values(leased_by=None, leased_until=None)).rowcount


@long
def due(tx: Transaction) -> dict[str, Millis]:
    """Each destination that something waits for, with the time of its next try."""
    rows = tx.execute(
        select(delivery.c.destination, func.min(delivery.c.next_try).label("at"))
        .where(ELSEWHERE)
        .group_by(delivery.c.destination)
    )
    return {row.destination: row.at for row in rows if row.at is not None}


def next_due(tx: Transaction, destinations: Sequence[str]) -> dict[str, Millis]:
    """When each of these is to be tried next; what somebody has now counts when his lease is over. Those that nothing waits for are left out."""
    moment = func.min(func.coalesce(delivery.c.leased_until, delivery.c.next_try))
    rows = tx.execute(
        select(delivery.c.destination, moment.label("at"))
        .where(ELSEWHERE, one_of_texts(destinations))
        .group_by(delivery.c.destination)
    )
    return {row.destination: row.at for row in rows if row.at is not None}
