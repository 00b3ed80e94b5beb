"""Domains: the names that this server answers for."""

from sqlalchemy import Select, delete, func, insert, select
from sqlalchemy import bindparam as bind

from mailhost.database.hot import Hot
from mailhost.database.marks import one_statement
from mailhost.database.transaction import Transaction
from mailhost.ids import DomainId, Millis
from mailhost.users.changes import DirectoryChanged
from mailhost.users.errors import DomainExists, DomainInUse, NoSuchDomain
from mailhost.users.tables import account, alias, domain


def add(tx: Transaction, id_: DomainId, name: str, now: Millis) -> None:
    """Raises `DomainExists`. The name is in lower case, in A-labels."""
    if id_of(tx, name) is not None:
        raise DomainExists(name)
    tx.execute(insert(domain).values(id=id_, name=name, created_at=now))
    tx.announce(DirectoryChanged())


def remove(tx: Transaction, name: str) -> None:
    """Raises `NoSuchDomain`, `DomainInUse`."""
    id_ = id_of(tx, name)
    if id_ is None:
        raise NoSuchDomain(name)
    users, names = counts(tx, name)
    if users or names:
        raise DomainInUse(name, users, names)
    tx.execute(delete(domain).where(domain.c.id == id_))
    tx.announce(DirectoryChanged())


def counts(tx: Transaction, name: str) -> tuple[int, int]:
    """How many accounts the domain has, and how many aliases."""
    id_ = id_of(tx, name)
    aliases = select(func.count(func.distinct(alias.c.local_part))).where(alias.c.domain_id == id_)
    users = select(func.count()).select_from(account).where(account.c.domain_id == id_)
    return tx.execute(users).scalar_one(), tx.execute(aliases).scalar_one()


ID_OF = Hot(select(domain.c.id).where(domain.c.name == bind("name")), "name")


def names() -> Select[tuple[str]]:
    """Passed to whoever compares with them."""
    return select(domain.c.name)


@one_statement
def list_all(tx: Transaction) -> list[str]:
    return list(tx.execute(select(domain.c.name).order_by(domain.c.name)).scalars())


@one_statement
def id_of(tx: Transaction, name: str) -> DomainId | None:
    found = tx.found(ID_OF, name)
    return DomainId(found[0].id) if found else None
