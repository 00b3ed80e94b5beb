"""The postmaster: each domain has one, and mail for it is somebody's (RFC 5321 section 4.5.1)."""

from collections.abc import Collection, Iterable

from sqlalchemy import ColumnElement, and_, or_, select

from mailhost.database.transaction import Transaction
from mailhost.users import addresses
from mailhost.users.accounts import POSTMASTER
from mailhost.users.addresses import TAG
from mailhost.users.errors import PostmasterNeeded
from mailhost.users.tables import alias, domain


def domains_behind(tx: Transaction, address: str) -> set[str]:
    """The domains whose postmaster is somebody by way of this address: itself, or an alias that leads there."""
    return _with_postmaster(tx, _ways_to(tx, {address}, _leads_to(address)))


def domains_behind_domain(tx: Transaction, name: str) -> set[str]:
    """Likewise, for all addresses of a domain; without that domain itself."""
    ways = _ways_to(tx, set(), alias.c.target.endswith(f"@{name}", autoescape=True))
    return _with_postmaster(tx, ways) - {name}


def need(tx: Transaction, names: Iterable[str]) -> None:
    """Raises `PostmasterNeeded` for the first of these domains whose postmaster is nobody now."""
    for name in sorted(names):
        if not _is_somebody(tx, name):
            raise PostmasterNeeded(name)


def _ways_to(tx: Transaction, found: set[str], leads: ColumnElement[bool]) -> set[str]:
    """Alias by alias, against their direction."""
    asked = [leads]
    while asked:
        rows = tx.execute(
            select(alias.c.local_part, domain.c.name)
            .join(domain, domain.c.id == alias.c.domain_id)
            .where(asked.pop())
            .distinct()
        )
        new = {f"{row.local_part}@{row.name}" for row in rows} - found
        found |= new
        asked += map(_leads_to, sorted(new))
    return found


def _leads_to(address: str) -> ColumnElement[bool]:
    local, _, at = address.rpartition("@")
    target = alias.c.target
    tagged = and_(target.startswith(local + TAG, autoescape=True), target.endswith(f"@{at}", autoescape=True))
    return or_(target == address, tagged)


def _with_postmaster(tx: Transaction, found: Collection[str]) -> set[str]:
    prefix = f"{POSTMASTER}@"
    names = {each.removeprefix(prefix) for each in found if each.startswith(prefix)}
    return {name for name in names if _is_somebody(tx, name)}


def _is_somebody(tx: Transaction, name: str) -> bool:
    return bool(addresses.destination(tx, POSTMASTER, name).targets)
