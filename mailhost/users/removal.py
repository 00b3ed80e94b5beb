"""Accounts and domains leave in two steps: from the first on they take no mail and no login; the second lets the name go.

Between the two, somebody takes away what the account has in the store.
"""

from sqlalchemy import Select, delete, select, update

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import AccountId
from mailhost.users import accounts, domains, postmaster
from mailhost.users.accounts import LEAVING, POSTMASTER
from mailhost.users.changes import AccountChanged, DirectoryChanged
from mailhost.users.errors import AccountMissing, NoSuchDomain, PostmasterItself
from mailhost.users.tables import account, alias, credential, domain
from mailhost.users.values import Account


@long
def begin(tx: Transaction, local_part: str, domain_name: str) -> tuple[Account, list[str]]:
    """The account, and the aliases that led there, of which none leads there now. One that is leaving already is answered again.

    Raises `AccountMissing`, `PostmasterNeeded`, `PostmasterItself`.
    """
    found = accounts.find(tx, local_part, domain_name)
    behind = postmaster.domains_behind(tx, found.address)
    if found.address == f"{POSTMASTER}@{domain_name}" and domain_name in behind:
        raise PostmasterItself(domain_name)
    led = _names_of(tx, select(alias.c.id).where(alias.c.target == found.address))
    tx.execute(delete(alias).where(alias.c.target == found.address))
    _leave(tx, [found.id])
    postmaster.need(tx, behind)
    return found, led


@long
def begin_domain(tx: Transaction, name: str) -> list[Account]:
    """All accounts and aliases of a domain at once. Raises `NoSuchDomain`, `PostmasterNeeded` for another domain's."""
    id_ = domains.id_of(tx, name)
    if id_ is None:
        raise NoSuchDomain(name)
    behind = postmaster.domains_behind_domain(tx, name)
    theirs = [each for each in accounts.list_accounts(tx) if each.address.endswith(f"@{name}")]
    its = select(account.c.local_part + f"@{name}").where(account.c.domain_id == id_)
    tx.execute(delete(alias).where((alias.c.domain_id == id_) | alias.c.target.in_(its)))
    _leave(tx, [each.id for each in theirs])
    postmaster.need(tx, behind)
    return theirs


def end(tx: Transaction, id_: AccountId) -> None:
    """The name is free. Raises `AccountMissing`: somebody else was faster."""
    if not tx.execute(delete(account).where(account.c.id == id_, account.c.disabled == LEAVING)).rowcount:
        raise AccountMissing
    tx.announce(DirectoryChanged())


def _leave(tx: Transaction, ids: list[AccountId]) -> None:
    """Sessions end, and passwords are nobody's."""
    tx.execute(delete(credential).where(one_of(credential.c.account_id, ids)))
    tx.execute(
        update(account)
        .where(one_of(account.c.id, ids))
        .values(disabled=LEAVING, auth_version=account.c.auth_version + 1)
    )
    for id_ in ids:
        tx.announce(AccountChanged(id_))
    tx.announce(DirectoryChanged())


def _names_of(tx: Transaction, ids: Select[tuple[int]]) -> list[str]:
    rows = tx.execute(
        select(alias.c.local_part, domain.c.name)
        .join(domain, domain.c.id == alias.c.domain_id)
        .where(alias.c.id.in_(ids))
        .order_by(domain.c.name, alias.c.local_part)
    )
    return [f"{row.local_part}@{row.name}" for row in rows]
