"""What an administrator does with what waits: look at it by reason, hold, release, retry, put off, cancel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select, update

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import DeliveryId, Millis
from mailhost.queue.changes import Queued
from mailhost.queue.entries import acceptance_of, delivery_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, Share, State

WAITS = delivery.c.state == State.WAITING
MOST = 10_000
"""Rows that one command acts on."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of the waiting deliveries: all that are said must fit."""

    ids: tuple[int, ...] = ()
    """Deliveries, or the journeys that they belong to."""
    sender: str = ""
    recipient: str = ""
    destination: str = ""
    reason: str = ""
    """A part of why they wait."""


@dataclass(frozen=True, slots=True)
class Group:
    """What waits for one destination for one reason."""

    destination: str
    reason: str
    held: bool
    count: int
    oldest: Millis
    next_try: Millis | None


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row, with its message and what becomes of it."""

    delivery: Delivery
    acceptance: Acceptance
    held: bool


@long
def groups(tx: Transaction, choice: Choice) -> list[Group]:
    """By destination and reason, the largest first."""
    rows_in_it = func.count().label("rows")
    rows = tx.execute(
        select(
            delivery.c.destination,
            delivery.c.reason,
            delivery.c.hold,
            rows_in_it,
            func.min(acceptance.c.at).label("oldest"),
            func.min(delivery.c.next_try).label("next_try"),
        )
        .join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(WAITS, *_fits(choice))
        .group_by(delivery.c.destination, delivery.c.reason, delivery.c.hold)
        .order_by(rows_in_it.desc(), delivery.c.destination)
    )
    return [
        Group(row.destination, row.reason or "", bool(row.hold), row.rows, row.oldest, row.next_try) for row in rows
    ]


@long
def waiting(tx: Transaction, choice: Choice, most: int = MOST) -> list[Waiting]:
    """The oldest first."""
    rows = tx.execute(
        select(delivery, acceptance)
        .join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(WAITS, *_fits(choice))
        .order_by(delivery.c.id)
        .limit(most)
    )
    return [_waiting(row) for row in rows]


def hold(tx: Transaction, ids: Sequence[DeliveryId]) -> None:
    """They wait until they are released."""
    tx.execute(update(delivery).where(WAITS, one_of(delivery.c.id, ids)).values(hold=1))


def try_at(tx: Transaction, ids: Sequence[DeliveryId], at: Millis) -> None:
    """They are held no more, and tried at that time; a time that has come wakes whoever carries them."""
    mine = and_(WAITS, one_of(delivery.c.id, ids))
    tx.execute(update(delivery).where(mine).values(hold=0, next_try=at))
    columns = delivery.c.destination, delivery.c.sender, delivery.c.priority
    shares = tx.execute(select(*columns).where(mine).distinct())
    tx.announce(Queued(frozenset(Share(*each) for each in shares), is_asked=True))


def finish(tx: Transaction, ids: Sequence[DeliveryId], state: State, reason: str, at: Millis) -> list[DeliveryId]:
    """By the administrator's decision; what somebody has under way at this moment is left to him. Answers with what ended."""
    mine = and_(WAITS, one_of(delivery.c.id, ids), _is_free(at))
    ended = [DeliveryId(id_) for id_ in tx.execute(select(delivery.c.id).where(mine).with_for_update()).scalars()]
    tx.execute(
        update(delivery)
        .where(one_of(delivery.c.id, ended))
        .values(state=int(state), reason=reason, next_try=None, finished_at=at, hold=0)
    )
    return ended


def _is_free(at: Millis) -> ColumnElement[bool]:
    return or_(delivery.c.leased_until.is_(None), delivery.c.leased_until < at)


def _fits(choice: Choice) -> list[ColumnElement[bool]]:
    found = []
    if choice.ids:
        found.append(or_(one_of(delivery.c.id, choice.ids), one_of(delivery.c.acceptance_id, choice.ids)))
    for column, wanted in (
        (acceptance.c.reverse_path, choice.sender),
        (delivery.c.recipient, choice.recipient),
        (delivery.c.destination, choice.destination),
        (delivery.c.reason, choice.reason),
    ):
        if wanted:
            found.append(func.lower(column).contains(wanted.lower(), autoescape=True))
    return found


def _waiting(row: Row[Any]) -> Waiting:
    return Waiting(delivery_of(row), acceptance_of(row), bool(row._mapping[delivery.c.hold]))  # noqa: SLF001 - the public way to a column that two tables have
