"""Aliases: another name for an address, or a group of several, here or elsewhere (RFC 5321 section 3.9)."""

from collections.abc import Collection, Sequence

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
from mailhost.users.values import Account, Alias


@long
def add(tx: Transaction, name: Address, targets: Sequence[Address], now: Millis) -> list[str]:
    """Let an alias stand for these too; answers with those that are new.

    Raises `DomainMissing`, `AliasTaken`, `TargetUnknown`, `AliasLoop`, `AliasTooDeep`, `TooManyTargets`.
    """
    here = frozenset(domains.list_all(tx))
    if name.domain not in here:
        raise DomainMissing(name.domain)
    if _account(tx, kept(name, here)) is not None:
        raise AliasTaken(kept(name, here))
    before = accounts.targets_of(tx, spelled(name.local), name.domain)
    new = [each for each in dict.fromkeys(kept(target, here) for target in targets) if each not in before]
    if len(before) + len(new) > MOST_TARGETS:
        raise TooManyTargets(MOST_TARGETS)
    way = _Way(tx, kept(name, here), here)
    for target in new:
        if not way.leads_to_somebody(target):
            raise TargetUnknown(target)
    for target in new:
        accounts.add_alias(tx, name.local, name.domain, target, now)
    return new


@long
def remove(tx: Transaction, name: Address, targets: Sequence[Address]) -> list[str]:
    """Take targets from an alias, or all of it when none is named; answers with those that went.

    Raises `AliasMissing`, `PostmasterNeeded`.
    """
    here = frozenset(domains.list_all(tx))
    address, there = kept(name, here), accounts.targets_of(tx, spelled(name.local), name.domain)
    gone = [kept(target, here) for target in targets] or there
    for target in gone if there else [""]:
        if target not in there:
            raise AliasMissing(address, target)
    behind = postmaster.domains_behind(tx, address)
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


def kept(address: Address, here: Collection[str]) -> str:
    """An address as rows keep it: without quotes, and in the one spelling where its domain is ours."""
    return f"{spelled(address.local) if address.domain in here else address.local}@{address.domain}"


class _Way:
    """Where a new alias would lead: down each chain as RCPT goes, along one seen before only where it is longer now."""

    def __init__(self, tx: Transaction, name: str, here: Collection[str]) -> None:
        self._tx, self._name, self._here = tx, name, here
        self._seen: dict[str, tuple[int, bool]] = {}

    def leads_to_somebody(self, target: str) -> bool:
        """Raises `AliasLoop`, `AliasTooDeep`."""
        try:
            return self._look(target, 1)
        except AliasLoop:
            raise AliasLoop(self._name, target) from None

    def _look(self, target: str, depth: int) -> bool:
        deepest, is_somebody = self._seen.get(target, (0, False))
        if depth > deepest:
            if depth > DEEPEST_ALIAS:
                raise AliasTooDeep(self._name, DEEPEST_ALIAS)
            is_somebody = self._is_somebody(target, depth)
            self._seen[target] = depth, is_somebody
        return is_somebody

    def _is_somebody(self, target: str, depth: int) -> bool:
        local, _, at = target.rpartition("@")
        if at not in self._here:
            return True
        for each in addresses.names(local):
            if f"{each}@{at}" == self._name:
                raise AliasLoop
            account = _account(self._tx, f"{each}@{at}")
            if account is not None:
                return not account.leaving
            further = accounts.targets_of(self._tx, each, at)
            if further:
                return any([self._look(one, depth + 1) for one in further])  # noqa: C419 - each of them is looked at
        return False


def _account(tx: Transaction, address: str) -> Account | None:
    local, _, at = address.rpartition("@")
    try:
        return accounts.find(tx, local, at)
    except AccountMissing:
        return None


def _here(tx: Transaction, name: Address) -> tuple[ColumnElement[bool], ...]:
    return alias.c.domain_id == domains.id_of(tx, name.domain), alias.c.local_part == spelled(name.local)
