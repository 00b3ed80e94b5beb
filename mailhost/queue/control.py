"""What an administrator does with what waits: look at it by reason, hold, release, retry, put off, cancel."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, false, func, or_, select, update
from sqlalchemy import Row as SQLRow

from mailhost.database.marks import long, long_by
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import DeliveryId, JourneyId, Millis
from mailhost.queue.changes import Queued
from mailhost.queue.entries import acceptance_of, delivery_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, Share, State

WAITS = delivery.c.state == State.WAITING
Row = tuple[JourneyId, DeliveryId]
FIRST: Row = JourneyId(-1), DeliveryId(-1)


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
    status: str | None = None
    """Of the last try (RFC 3463)."""
    reply: str | None = None
    """What the other host said last, to one of them."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """One row, with its message and what becomes of it."""

    delivery: Delivery
    acceptance: Acceptance
    held: bool


@long
def groups(tx: Transaction, choice: Choice, most: int) -> tuple[list[Group], int]:
    """By destination and reason, the largest first; and how many there are in all."""
    rows_in_it = func.count().label("rows")
    its = delivery.c.destination, delivery.c.reason, delivery.c.status, delivery.c.hold
    rows = tx.execute(
        select(
            *its,
            rows_in_it,
            func.count().over().label("groups"),
            func.max(delivery.c.last_reply).label("reply"),
            func.min(acceptance.c.at).label("oldest"),
            func.min(delivery.c.next_try).label("next_try"),
        )
        .join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(WAITS, *_fits(choice))
        .group_by(*its)
        .order_by(rows_in_it.desc(), delivery.c.destination)
        .limit(most)
    ).all()
    found = [
        Group(
            row.destination,
            row.reason or "",
            bool(row.hold),
            row.rows,
            row.oldest,
            row.next_try,
            row.status,
            row.reply,
        )
        for row in rows
    ]
    return found, rows[0].groups if rows else 0


@long
def chosen(tx: Transaction, choice: Choice, after: Row, most: int) -> list[Row]:
    """Those that are chosen, from one on: recipients of one message together, the oldest messages first."""
    journey, id_ = after
    beyond = and_(delivery.c.acceptance_id >= journey, or_(delivery.c.acceptance_id > journey, delivery.c.id > id_))
    rows = tx.execute(
        select(delivery.c.acceptance_id, delivery.c.id)
        .join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(WAITS, beyond, *_fits(choice))
        .order_by(delivery.c.acceptance_id, delivery.c.id)
        .limit(most)
    )
    return [(JourneyId(row.acceptance_id), DeliveryId(row.id)) for row in rows]


@long
def count(tx: Transaction, choice: Choice) -> int:
    rows = (
        select(func.count())
        .select_from(delivery)
        .join(acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(WAITS, *_fits(choice))
    )
    return int(tx.execute(rows).scalar_one())


@long_by(len)
def waiting(tx: Transaction, ids: Sequence[DeliveryId]) -> list[Waiting]:
    """Those that wait still, recipients of one message together."""
    rows = tx.execute(
        select(delivery, acceptance)
        .join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(WAITS, _are(ids))
        .order_by(delivery.c.acceptance_id, delivery.c.id)
    )
    return [_waiting(row) for row in rows]


@long_by(len)
def still_waiting(tx: Transaction, ids: Sequence[DeliveryId]) -> int:
    mine = select(func.count()).select_from(delivery).where(WAITS, _are(ids))
    return int(tx.execute(mine).scalar_one())


@long
def has_reason(tx: Transaction, part: str) -> bool:
    """Whether anything waits for it."""
    holds = delivery.c.reason.contains(part, autoescape=True)
    return tx.execute(select(delivery.c.id).where(WAITS, holds).limit(1)).first() is not None


def hold(tx: Transaction, ids: Sequence[DeliveryId]) -> None:
    """They wait until they are released."""
    tx.execute(update(delivery).where(WAITS, _are(ids)).values(hold=1))


def try_at(tx: Transaction, ids: Sequence[DeliveryId], at: Millis) -> None:
    """They are held no more, and tried at that time; a time that has come wakes whoever carries them."""
    mine = and_(WAITS, _are(ids))
    tx.execute(
        update(delivery).where(mine).values(hold=0, next_try=at, status=None)
    )  # a time of its own: nobody calls it back before
    columns = delivery.c.destination, delivery.c.sender, delivery.c.priority
    shares = tx.execute(select(*columns).where(mine).distinct())
    tx.announce(Queued(frozenset(Share(*each) for each in shares), is_asked=True))


def finish(tx: Transaction, ids: Sequence[DeliveryId], state: State, reason: str, at: Millis) -> list[DeliveryId]:
    """By the administrator's decision; what somebody has under way at this moment is left to him. Answers with what ended."""
    ended = free(tx, ids, at)
    tx.execute(
        update(delivery)
        .where(_are(ended))
        .values(
            state=int(state),
            reason=reason,
            next_try=None,
            finished_at=at,
            hold=0,
            leased_by=None,
            leased_until=None,
        )
    )
    return ended


def free(tx: Transaction, ids: Sequence[DeliveryId], at: Millis) -> list[DeliveryId]:
    """Those that wait, and that nobody has under way; nobody takes them before this transaction ends."""
    mine = and_(WAITS, _are(ids), _is_free(at))
    return [DeliveryId(id_) for id_ in tx.execute(select(delivery.c.id).where(mine).with_for_update()).scalars()]


@long_by(lambda ids, *_: len(ids))
def lease(tx: Transaction, ids: Sequence[DeliveryId], claimant: str, at: Millis, until: Millis) -> list[DeliveryId]:
    """Theirs who are about to end them. Answers with those that were to be had."""
    mine = free(tx, ids, at)
    tx.execute(update(delivery).where(_are(mine)).values(leased_by=claimant, leased_until=until))
    return mine


def _are(ids: Sequence[DeliveryId]) -> ColumnElement[bool]:
    """With their ends, which lie near each other in a page: a planner without statistics goes through all that waits else."""
    if not ids:
        return false()
    return and_(delivery.c.id.between(min(ids), max(ids)), one_of(delivery.c.id, ids))


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


def _waiting(row: SQLRow[Any]) -> Waiting:
    return Waiting(delivery_of(row), acceptance_of(row), bool(row._mapping[delivery.c.hold]))  # noqa: SLF001 - the public way to a column that two tables have
