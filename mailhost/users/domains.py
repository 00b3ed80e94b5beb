"""Domains: the names that this server answers for."""

from sqlalchemy import bindparam as bind
from sqlalchemy import insert, select

from mailhost.database.hot import Hot
from mailhost.database.marks import one_statement
from mailhost.database.transaction import Transaction
from mailhost.ids import DomainId, Millis
from mailhost.users.changes import DirectoryChanged
from mailhost.users.errors import DomainExists
from mailhost.users.tables import domain


def add(tx: Transaction, id_: DomainId, name: str, now: Millis) -> None:
    """Raises `DomainExists`. The name is in lower case, in A-labels."""
    if id_of(tx, name) is not None:
        raise DomainExists
    tx.execute(insert(domain).values(id=id_, name=name, created_at=now))
    tx.announce(DirectoryChanged())


ID_OF = Hot(select(domain.c.id).where(domain.c.name == bind("name")), "name")


@one_statement
def list_all(tx: Transaction) -> list[str]:
    return list(tx.execute(select(domain.c.name).order_by(domain.c.name)).scalars())


@one_statement
def id_of(tx: Transaction, name: str) -> DomainId | None:
    found = tx.found(ID_OF, name)
    return DomainId(found[0].id) if found else None
