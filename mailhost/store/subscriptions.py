"""Subscriptions: names that a user has on a list; one stays there when its mailbox is gone (RFC 3501 section 6.3.6)."""

from collections.abc import Iterable

from sqlalchemy import bindparam as bind
from sqlalchemy import delete, func, insert, select, update

from mailhost.database.marks import one_statement
from mailhost.database.transaction import Transaction
from mailhost.database.types import Identifier, String
from mailhost.ids import AccountId
from mailhost.store.tables import subscription

ADD = (
    insert(subscription)
    .prefix_with("OR IGNORE", dialect="sqlite")
    .from_select(
        ["account_id", "name"],
        select(bind("account", type_=Identifier), bind("name", type_=String)).suffix_with(
            "ON CONFLICT DO NOTHING", dialect="postgresql"
        ),
    )
)
"""Another node may do it at the same time."""
HERE = subscription.c.account_id == bind("account"), subscription.c.name == bind("old")
REMOVE = delete(subscription).where(*HERE)
RENAME = update(subscription).where(*HERE).values(name=bind("new"))


@one_statement
def names(tx: Transaction, account: AccountId) -> list[str]:
    here = select(subscription.c.name).where(subscription.c.account_id == account)
    return list(tx.execute(here.order_by(subscription.c.name)).scalars())


@one_statement
def count(tx: Transaction, account: AccountId) -> int:
    found: int = tx.execute(
        select(func.count()).select_from(subscription).where(subscription.c.account_id == account)
    ).scalar_one()
    return found


def add(tx: Transaction, account: AccountId, name: str) -> None:
    tx.execute(ADD, {"account": account, "name": name})


def remove(tx: Transaction, account: AccountId, name: str) -> bool:
    """Whether it was there."""
    return tx.execute(REMOVE, {"account": account, "old": name}).rowcount > 0


def rename(tx: Transaction, account: AccountId, moves: Iterable[tuple[str, str]]) -> None:
    """Who was subscribed to a mailbox is so under its new name; RFC 3501 leaves it open. `moves` in ascending order."""
    here = set(names(tx, account))
    moved = [(old, new) for old, new in moves if old in here]
    left = here.difference(old for old, _ in moved)
    for statement, rows in (
        (REMOVE, [(old, new) for old, new in moved if new in left]),
        (RENAME, [(old, new) for old, new in moved if new not in left]),
    ):
        if rows:
            tx.execute(statement, [{"account": account, "old": old, "new": new} for old, new in rows])
