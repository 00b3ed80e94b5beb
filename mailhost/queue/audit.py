"""What must be true of the ledger: accepted recipients are the sum of the states (design: invariant 4)."""

from typing import Any

from sqlalchemy import Row, Select, and_, exists, or_, select

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.ids import text_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import State

MOST = 1000
"""Findings of one question."""
FINAL = [int(state) for state in State if state is not State.WAITING]


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
    ]


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


def _some(tx: Transaction, statement: Select[Any]) -> list[Row[Any]]:
    return list(tx.execute(statement.limit(MOST)))


def _recipient(row: Row[Any]) -> str:
    return f"delivery {text_of(row.id)} to {row.recipient}"
