"""A table as small as can be, and operations on it that succeed, refuse or fail."""

from collections.abc import Sequence

from sqlalchemy import insert, select, text

from mailhost.database.errors import Refused
from mailhost.database.marks import for_many
from mailhost.database.transaction import Transaction
from mailhost.users.tables import domain


class No(Refused):
    """What an operation here says."""


class Fault(Exception):
    """What no operation should raise."""


def add(tx: Transaction, id_: int) -> int:
    tx.execute(insert(domain).values(id=id_, name=f"d{id_}", created_at=0))
    tx.announce(("added", id_))
    return id_


def add_and_refuse(tx: Transaction, id_: int) -> int:
    add(tx, id_)
    raise No


def add_and_fail(tx: Transaction, id_: int) -> int:
    add(tx, id_)
    raise Fault(id_)


@for_many
def add_many(tx: Transaction, requests: Sequence[int]) -> list[int | Refused]:
    return [No() if each < 0 else add(tx, each) for each in requests]


@for_many
def add_many_or_fail(tx: Transaction, requests: Sequence[int]) -> list[int | Refused]:
    for each in requests:
        add(tx, abs(each))
        if each < 0:
            raise Fault(each)
    return list(requests)


def ids(tx: Transaction) -> list[int]:
    return list(tx.execute(select(domain.c.id).order_by(domain.c.id)).scalars())


def sql(tx: Transaction, statement: str) -> list[tuple[object, ...]]:
    result = tx.execute(text(statement))
    return [tuple(row) for row in result] if result.returns_rows else []
