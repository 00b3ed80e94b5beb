"""Aliases: another name for an address, or a group of several, here or elsewhere (RFC 5321 section 3.9)."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, delete, select

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.ids import Millis
from mailhost.message.address import Address
from mailhost.users import accounts, addresses, domains, postmaster
from mailhost.users.addresses import DEEPEST_ALIAS, MOST_TARGETS
from mailhost.users.changes import DirectoryChanged
from mailhost.users.errors import (
    AccountMissing,
    AliasLoop,
    AliasMissing,
    AliasTaken,
    AliasTooDeep,
    DomainMissing,
    TargetUnknown,
    TooManyTargets,
)
from mailhost.users.spelling import spelled
from mailhost.users.tables import alias, domain
from mailhost.users.values import Alias


@long
def add(tx: Transaction, name: Address, targets: Sequence[Address], now: Millis) -> list[str]:
    """Let an alias stand for these too; answers with those that are new.

    Raises `DomainMissing`, `AliasTaken`, `TargetUnknown`, `AliasLoop`, `AliasTooDeep`, `TooManyTargets`.
    """
    if domains.id_of(tx, name.domain) is None:
        raise DomainMissing(name.domain)
    if _is_account(tx, name):
        raise AliasTaken(kept(tx, name))
    before = accounts.targets_of(tx, spelled(name.local), name.domain)
    new = [each for each in dict.fromkeys(kept(tx, target) for target in targets) if each not in before]
    if len(before) + len(new) > MOST_TARGETS:
        raise TooManyTargets(MOST_TARGETS)
    for target in new:
        _check(tx, kept(tx, name), target)
        accounts.add_alias(tx, name.local, name.domain, target, now)
    return new


@long
def remove(tx: Transaction, name: Address, targets: Sequence[Address]) -> list[str]:
    """Take targets from an alias, or all of it when none is named; answers with those that went.

    Raises `AliasMissing`, `PostmasterNeeded`.
    """
    there = accounts.targets_of(tx, spelled(name.local), name.domain)
    gone = [kept(tx, target) for target in targets] or there
    for target in gone if there else [""]:
        if target not in there:
            raise AliasMissing(kept(tx, name), target)
    behind = postmaster.domains_behind(tx, kept(tx, name))
    tx.execute(delete(alias).where(*_here(tx, name), alias.c.target.in_(gone)))
    postmaster.need(tx, behind)
    tx.announce(DirectoryChanged())
    return gone


@long
def list_all(tx: Transaction) -> list[Alias]:
    """By domain, then by name; targets in the order in which they were added."""
    rows = tx.execute(
        select(alias.c.local_part, domain.c.name, alias.c.target)
        .join(domain, domain.c.id == alias.c.domain_id)
        .order_by(domain.c.name, alias.c.local_part, alias.c.id)
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(f"{row.local_part}@{row.name}", []).append(row.target)
    return [Alias(address, tuple(targets)) for address, targets in found.items()]


def kept(tx: Transaction, address: Address) -> str:
    """An address as rows keep it: without quotes, and in the one spelling where its domain is ours."""
    here = domains.id_of(tx, address.domain) is not None
    return f"{spelled(address.local) if here else address.local}@{address.domain}"


def _check(tx: Transaction, name: str, target: str) -> None:
    """Whether an alias of this name may lead there."""
    if _comes_back(tx, name, target, 1, {}):
        raise AliasLoop(name, target)
    local, _, at = target.rpartition("@")
    if not addresses.destination(tx, local, at).targets:
        raise TargetUnknown(target)


def _comes_back(tx: Transaction, name: str, target: str, depth: int, seen: dict[str, int]) -> bool:
    """Down each chain as RCPT goes; along one seen before only where it is longer now. Raises `AliasTooDeep`."""
    if depth <= seen.get(target, 0):
        return False
    seen[target] = depth
    if depth > DEEPEST_ALIAS:
        raise AliasTooDeep(name, DEEPEST_ALIAS)
    local, _, at = target.rpartition("@")
    for each in addresses.names(local):
        if f"{each}@{at}" == name:
            return True
        if _is_account(tx, Address(each, at)):
            return False
        if further := accounts.targets_of(tx, each, at):
            return any(_comes_back(tx, name, one, depth + 1, seen) for one in further)
    return False


def _is_account(tx: Transaction, address: Address) -> bool:
    try:
        accounts.find(tx, address.local, address.domain)
    except AccountMissing:
        return False
    return True


def _here(tx: Transaction, name: Address) -> tuple[ColumnElement[bool], ...]:
    return alias.c.domain_id == domains.id_of(tx, name.domain), alias.c.local_part == spelled(name.local)
