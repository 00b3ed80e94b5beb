"""The ledger's rows: written at acceptance, finished by whoever delivers, read by whoever asks where a message is."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Column, ColumnElement, Row, Select, Table, and_, exists, func, insert, or_, select, update

from mailhost.database.hot import Hot
from mailhost.database.marks import one_statement
from mailhost.database.transaction import Transaction
from mailhost.ids import DeliveryId, Millis
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, State

FAILED = frozenset({State.BOUNCED, State.EXPIRED})
HAS_FAILED = or_(delivery.c.state == State.BOUNCED, delivery.c.state == State.EXPIRED)
UNTOLD = and_(
    HAS_FAILED,
    delivery.c.told_at.is_(None),
    or_(delivery.c.notify.is_(None), delivery.c.notify.contains("FAILURE", autoescape=True)),
)
"""Failures that the sender is to hear of, and has not; where there is a sender."""
INSERT_ACCEPTANCE = Hot(
    insert(acceptance),
    "id",
    "at",
    "peer",
    "helo",
    "account_id",
    "reverse_path",
    "blob_id",
    "prefix",
    "size",
    "body",
    "smtputf8",
    "envid",
    "ret",
    "release_at",
    "subject",
    "message_id",
    "deliver_by",
    "by_mode",
    "priority",
)
INSERT_DELIVERY = Hot(
    insert(delivery),
    "id",
    "acceptance_id",
    "parent_id",
    "recipient",
    "original",
    "notify",
    "destination",
    "state",
    "hold",
    "reason",
    "account_id",
    "mailbox_id",
    "uid",
    "next_try",
    "tries",
    "finished_at",
    "sender",
    "priority",
)

_NAMED_OTHERWISE = {
    "journey": "id",
    "login": "account_id",
    "blob": "blob_id",
    "parent": "parent_id",
    "account": "account_id",
    "mailbox": "mailbox_id",
    "reply": "last_reply",
}
"""Columns whose name is not the field's."""


def _columns(table: Table, kind: type, named: Mapping[str, str]) -> tuple[Column[Any], ...]:
    """In the order of the fields, so that a row is a value's arguments."""
    return tuple(table.c[named.get(each.name, each.name)] for each in fields(kind))


ACCEPTANCE_COLUMNS = _columns(acceptance, Acceptance, _NAMED_OTHERWISE)
DELIVERY_COLUMNS = _columns(delivery, Delivery, _NAMED_OTHERWISE | {"journey": "acceptance_id"})
_STATE = DELIVERY_COLUMNS.index(delivery.c.state)
_SMTPUTF8 = ACCEPTANCE_COLUMNS.index(acceptance.c.smtputf8)


def insert_many(tx: Transaction, acceptances: Sequence[Acceptance], deliveries: Sequence[Delivery]) -> None:
    tx.many(INSERT_ACCEPTANCE, [_acceptance_row(each) for each in acceptances])
    tx.many(INSERT_DELIVERY, [_delivery_row(each) for each in deliveries])


def due_here(tx: Transaction, now: Millis, most: int) -> list[tuple[Delivery, Acceptance]]:
    """Local deliveries that wait and whose time has come, the oldest first."""
    rows = tx.execute(
        select(delivery, acceptance)
        .join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
        .where(
            delivery.c.destination == "",
            delivery.c.state == State.WAITING,
            delivery.c.hold == 0,
            delivery.c.next_try <= now,
        )
        .order_by(delivery.c.next_try)
        .limit(most)
    )
    return [(delivery_of(row), acceptance_of(row)) for row in rows]


@one_statement
def next_due_here(tx: Transaction) -> Millis | None:
    """When the next local delivery that waits is to be tried."""
    mine = (
        delivery.c.destination == "",
        delivery.c.next_try.is_not(None),
        delivery.c.state == State.WAITING,
        delivery.c.hold == 0,
    )
    found: Millis | None = tx.execute(select(func.min(delivery.c.next_try)).where(*mine)).scalar_one()
    return found


def lock_waiting(tx: Transaction, id_: DeliveryId) -> Delivery | None:
    """The row, if it waits still; nobody else finishes it before this transaction ends."""
    row = tx.execute(
        select(delivery).where(delivery.c.id == id_, delivery.c.state == State.WAITING).with_for_update()
    ).one_or_none()
    return None if row is None else delivery_of(row)


def finish(tx: Transaction, done: Delivery) -> None:
    """The row's final state, and where the message went."""
    tx.execute(
        update(delivery)
        .where(delivery.c.id == done.id)
        .values(
            state=int(done.state),
            reason=done.reason,
            account_id=done.account,
            mailbox_id=done.mailbox,
            uid=done.uid,
            next_try=None,
            finished_at=done.finished_at,
            tries=delivery.c.tries + 1,
        )
    )


def defer(tx: Transaction, id_: DeliveryId, reason: str, next_try: Millis) -> None:
    tx.execute(
        update(delivery)
        .where(delivery.c.id == id_)
        .values(reason=reason, next_try=next_try, tries=delivery.c.tries + 1)
    )


def cancel(tx: Transaction, id_: DeliveryId, reason: str, now: Millis) -> None:
    """A row that waits is done with, unless somebody finished it before."""
    _cancel(tx, delivery.c.id == id_, reason, now)


def cancel_waiting_here(tx: Transaction, recipient: str, reason: str, now: Millis) -> int:
    """All that waits to be stored for an address of this server; answers with how many that were."""
    return _cancel(tx, and_(delivery.c.destination == "", delivery.c.recipient == recipient), reason, now)


def _cancel(tx: Transaction, which: ColumnElement[bool], reason: str, now: Millis) -> int:
    return tx.execute(
        update(delivery)
        .where(which, delivery.c.state == State.WAITING)
        .values(state=int(State.CANCELLED), reason=reason, next_try=None, finished_at=now)
    ).rowcount


def of_journey(tx: Transaction, journey: int) -> list[Delivery]:
    rows = tx.execute(select(delivery).where(delivery.c.acceptance_id == journey).order_by(delivery.c.id))
    return [delivery_of(row) for row in rows]


def states(tx: Transaction) -> dict[State, int]:
    """How many recipients are in each state: their sum is what was accepted."""
    rows = tx.execute(select(delivery.c.state, func.count().label("rows")).group_by(delivery.c.state))
    return {State(row.state): row.rows for row in rows}


def blobs_in_use() -> Select[Any]:
    """Blobs that somebody waits for still, if only a notice that tells of them; passed to `blobs.sweep` by whoever is above both."""
    needed = or_(delivery.c.state == State.WAITING, and_(UNTOLD, acceptance.c.reverse_path != ""))
    return select(acceptance.c.blob_id).where(exists().where(delivery.c.acceptance_id == acceptance.c.id, needed))


def finished_before(moment: Millis) -> Any:
    """Acceptances of which nothing waits, and nothing finished after `moment`."""
    unfinished = exists().where(
        and_(
            delivery.c.acceptance_id == acceptance.c.id,
            or_(delivery.c.state == State.WAITING, delivery.c.finished_at >= moment),
        )
    )
    return and_(acceptance.c.at < moment, ~unfinished)


def _acceptance_row(a: Acceptance) -> tuple[Any, ...]:
    return (
        a.journey,
        a.at,
        a.peer,
        a.helo,
        a.login,
        a.reverse_path,
        a.blob,
        a.prefix,
        a.size,
        a.body,
        int(a.smtputf8),
        a.envid,
        a.ret,
        a.release_at,
        a.subject,
        a.message_id,
        a.deliver_by,
        a.by_mode,
        a.priority,
    )


def _delivery_row(d: Delivery) -> tuple[Any, ...]:
    return (
        d.id,
        d.journey,
        d.parent,
        d.recipient,
        d.original,
        d.notify,
        d.destination,
        int(d.state),
        0,
        d.reason,
        d.account,
        d.mailbox,
        d.uid,
        d.next_try,
        0,
        d.finished_at,
        d.sender,
        d.priority,
    )


def delivery_of(row: Row[Any]) -> Delivery:
    m = row._mapping  # noqa: SLF001 - the public way to a column that two tables have
    return delivery_from([m[column] for column in DELIVERY_COLUMNS])


def acceptance_of(row: Row[Any]) -> Acceptance:
    m = row._mapping  # noqa: SLF001 - the public way to a column that two tables have
    return acceptance_from([m[column] for column in ACCEPTANCE_COLUMNS])


def delivery_from(values: Sequence[Any]) -> Delivery:
    """`values` are those of `DELIVERY_COLUMNS`."""
    made = list(values)
    made[_STATE] = State(made[_STATE])
    return Delivery(*made)


def acceptance_from(values: Sequence[Any]) -> Acceptance:
    """`values` are those of `ACCEPTANCE_COLUMNS`."""
    made = list(values)
    made[_SMTPUTF8] = bool(made[_SMTPUTF8])
    return Acceptance(*made)
