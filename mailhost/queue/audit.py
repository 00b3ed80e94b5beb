"""What must be true of the ledger: accepted recipients are the sum of the states (design: invariant 4)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, Select, and_, exists, func, literal, or_, select

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.ids import text_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import State

MOST = 1000
"""Findings of one question."""
FINAL = [int(state) for state in State if state is not State.WAITING]


@dataclass(frozen=True, slots=True)
class Sums:
    """The proof: each recipient that was accepted is in one state, and those that were expanded are copies, each in one state."""

    accepted: int
    states: Mapping[State, int]
    copies: int
    states_of_copies: Mapping[State, int]


@long
def sums(tx: Transaction) -> Sums:
    """Both sides are counted, each for itself."""
    is_copy = delivery.c.parent_id.is_not(None)
    total = [
        tx.execute(select(func.count()).select_from(delivery).where(each)).scalar_one() for each in (~is_copy, is_copy)
    ]
    states = [_states(tx, each) for each in (~is_copy, is_copy)]
    return Sums(total[0], states[0], total[1], states[1])


def _states(tx: Transaction, which: Any) -> dict[State, int]:
    rows = tx.execute(select(delivery.c.state, func.count().label("rows")).where(which).group_by(delivery.c.state))
    known = set(map(int, State))
    return {State(row.state): row.rows for row in rows if row.state in known}


@long
def ledger(tx: Transaction) -> list[str]:
    """Every accepted message has its recipients, every recipient one state, and every state what belongs to it."""
    return [
        *(f"accepted message {text_of(row.id)} has no recipient" for row in _some(tx, _without_recipient())),
        *(f"{_recipient(row)} belongs to no accepted message" for row in _some(tx, _without_acceptance())),
        *(f"{_recipient(row)} is in no state that there is: {row.state}" for row in _some(tx, _stateless())),
        *(f"{_recipient(row)} waits, and will never be tried" for row in _some(tx, _forgotten())),
        *(f"{_recipient(row)} is final, and was never finished" for row in _some(tx, _unfinished())),
        *(f"{_recipient(row)} is stored, and nothing says where" for row in _some(tx, _nowhere())),
        *(f"{_recipient(row)} is expanded, into nobody" for row in _some(tx, _childless())),
        *(f"{_recipient(row)} comes from no row that was expanded" for row in _some(tx, _parentless())),
        *(f"{_recipient(row)} comes from itself, and from nobody who was accepted" for row in _some(tx, _rootless())),
        *(f"{_recipient(row)} is leased by nobody, or for no time" for row in _some(tx, _half_leased())),
        *(f"{_recipient(row)} is final, and leased still" for row in _some(tx, _leased_after_all())),
        *(f"{_recipient(row)} is final, and is to be tried again" for row in _some(tx, _tried_after_all())),
        *(f"{_recipient(row)} is to go to {row.destination}" for row in _some(tx, _elsewhere())),
        *_unequal(sums(tx)),
    ]


@long
def nowhere_to_go(tx: Transaction, domains: Select[Any]) -> list[str]:
    """What waits without a destination, and for no address of ours; `domains` are those of whoever is above both."""
    ours = domains.subquery()
    is_ours = exists().where(delivery.c.recipient.endswith(literal("@") + ours.c[0]))
    lost = select(delivery).where(delivery.c.state == State.WAITING, delivery.c.destination == "", ~is_ours)
    return [f"{_recipient(row)} waits without a destination, and its domain is not ours" for row in _some(tx, lost)]


def _unequal(its: Sums) -> list[str]:
    found = []
    if its.accepted != sum(its.states.values()):
        found.append(f"accepted are {its.accepted} recipients, and all states together {sum(its.states.values())}")
    if its.copies != sum(its.states_of_copies.values()):
        found.append(f"{its.copies} copies were made, and all states together are {sum(its.states_of_copies.values())}")
    return found


def stored_places() -> Select[Any]:
    """Where the ledger says that messages are; passed to `store.audit.misplaced` by whoever is above both."""
    columns = (delivery.c[name] for name in ("account_id", "mailbox_id", "uid", "recipient"))
    return (
        select(*columns, acceptance.c.blob_id)
        .join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(delivery.c.state == State.STORED)
    )


def _without_recipient() -> Select[Any]:
    return select(acceptance.c.id).where(
        ~exists().where(delivery.c.acceptance_id == acceptance.c.id, delivery.c.parent_id.is_(None))
    )


def _without_acceptance() -> Select[Any]:
    return select(delivery).where(~exists().where(acceptance.c.id == delivery.c.acceptance_id))


def _stateless() -> Select[Any]:
    return select(delivery).where(delivery.c.state.not_in([int(state) for state in State]))


def _forgotten() -> Select[Any]:
    return select(delivery).where(delivery.c.state == State.WAITING, delivery.c.next_try.is_(None))


def _unfinished() -> Select[Any]:
    return select(delivery).where(delivery.c.state.in_(FINAL), delivery.c.finished_at.is_(None))


def _nowhere() -> Select[Any]:
    missing = or_(*(delivery.c[name].is_(None) for name in ("account_id", "mailbox_id", "uid")))
    return select(delivery).where(and_(delivery.c.state == State.STORED, missing))


def _childless() -> Select[Any]:
    child = delivery.alias()
    within = exists().where(child.c.acceptance_id == delivery.c.acceptance_id, child.c.parent_id == delivery.c.id)
    return select(delivery).where(delivery.c.state == State.EXPANDED, ~within)


def _parentless() -> Select[Any]:
    parent = delivery.alias()
    expanded = exists().where(
        parent.c.id == delivery.c.parent_id,
        parent.c.acceptance_id == delivery.c.acceptance_id,
        parent.c.state == State.EXPANDED,
    )
    return select(delivery).where(delivery.c.parent_id.is_not(None), ~expanded)


def _rootless() -> Select[Any]:
    """Copies that no accepted recipient leads to, though each has a row before it."""
    start = select(delivery.c.id, delivery.c.acceptance_id).where(
        delivery.c.parent_id.is_(None), delivery.c.state == State.EXPANDED
    )
    rooted = start.cte("rooted", recursive=True)
    child = delivery.alias()
    rooted = rooted.union(
        select(child.c.id, child.c.acceptance_id).where(
            child.c.acceptance_id == rooted.c.acceptance_id, child.c.parent_id == rooted.c.id
        )
    )
    parent = delivery.alias()
    has_parent = exists().where(parent.c.id == delivery.c.parent_id, parent.c.state == State.EXPANDED)
    return select(delivery).where(
        delivery.c.parent_id.is_not(None), has_parent, delivery.c.id.not_in(select(rooted.c.id))
    )


def _half_leased() -> Select[Any]:
    return select(delivery).where(delivery.c.leased_by.is_(None) != delivery.c.leased_until.is_(None))


def _leased_after_all() -> Select[Any]:
    return select(delivery).where(delivery.c.state.in_(FINAL), delivery.c.leased_by.is_not(None))


def _tried_after_all() -> Select[Any]:
    return select(delivery).where(delivery.c.state.in_(FINAL), delivery.c.next_try.is_not(None))


def _elsewhere() -> Select[Any]:
    goes_there = delivery.c.recipient.endswith(literal("@") + delivery.c.destination)
    return select(delivery).where(delivery.c.destination != "", ~goes_there)


def _some(tx: Transaction, statement: Select[Any]) -> list[Row[Any]]:
    return list(tx.execute(statement.limit(MOST)))


def _recipient(row: Row[Any]) -> str:
    return f"delivery {text_of(row.id)} to {row.recipient}"
