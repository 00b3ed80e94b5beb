"""Accounts with their mailboxes, from an address and a password; and what is done to one later."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from mailhost.administration.refusals import explained
from mailhost.database.database import Database
from mailhost.database.errors import Refused
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, DomainId, MailboxId, Millis, fresh, now
from mailhost.message.address import Address, AddressProblem, parse_address
from mailhost.store import mailboxes, removal
from mailhost.store.removal import Totals
from mailhost.users import accounts, domains
from mailhost.users.errors import AccountLeaving, DomainExists, DomainMissing
from mailhost.users.passwords import Hasher
from mailhost.users.values import Account

AT_ONCE = 64
"""Passwords that are hashed while others wait; their accounts share commits."""


@dataclass(frozen=True, slots=True)
class Listed:
    """An account with what its mailboxes hold."""

    account: Account
    totals: Totals


def create(tx: Transaction, address: Address, secret: str, at: Millis, add_domain: bool = True) -> AccountId:
    """An account and the mailboxes that clients look for. Raises `DomainMissing`, `AccountExists`."""
    if add_domain:
        with suppress(DomainExists):
            domains.add(tx, DomainId(fresh()), address.domain, at)
    account = AccountId(fresh())
    accounts.add_account(tx, account, address.local, address.domain, secret, at)
    for name, use in mailboxes.FIRST_MAILBOXES:
        mailboxes.create(tx, account, MailboxId(fresh()), name, accounts.next_uid_validity(tx, account, at), use)
    return account


async def add_accounts(
    database: Database, hasher: Hasher, pairs: Iterable[tuple[str, str]], *, add_domain: bool = False
) -> AsyncIterator[tuple[str, str | None]]:
    """Each address with None, or with the reason why it has no account now."""
    for some in _batches(pairs):
        secrets = await asyncio.gather(*(hasher.hash(password) for _, password in some))
        reasons = await asyncio.gather(
            *(_add(database, address, secret, add_domain) for (address, _), secret in zip(some, secrets, strict=True))
        )
        for (address, _), reason in zip(some, reasons, strict=True):
            yield address, reason


async def list_accounts(database: Database) -> list[Account]:
    return await database.read(accounts.list_accounts)


async def list_with_totals(database: Database) -> list[Listed]:
    totals = await database.read(removal.totals)
    return [Listed(each, totals.get(each.id, Totals())) for each in await list_accounts(database)]


async def look(database: Database, address: Address) -> Listed:
    """One account, and what it holds. Raises `AccountMissing`."""
    found = await database.read(accounts.find, address.local, address.domain)
    return Listed(found, (await database.read(removal.totals)).get(found.id, Totals()))


async def may_add(database: Database, address: Address, add_domain: bool) -> None:
    """Whether it is worth while to ask for a password. Raises `DomainMissing`, `AccountExists`, `AccountLeaving`."""
    await database.read(_may_add, address, add_domain)


async def set_password(database: Database, hasher: Hasher, address: Address, password: str) -> None:
    """Raises `AccountMissing`, `AccountLeaving`."""
    await database.write(_set_password, address, await hasher.hash(password), now())


async def switch(database: Database, address: Address, disabled: bool) -> bool:
    """Disable or enable an account; whether that changed anything. Raises `AccountMissing`, `AccountLeaving`."""
    return await database.write(_switch, address, disabled)


def _may_add(tx: Transaction, address: Address, add_domain: bool) -> None:
    if domains.id_of(tx, address.domain) is None:
        if add_domain:
            return
        raise DomainMissing(address.domain)
    accounts.need_free(tx, address.local, address.domain)


def _set_password(tx: Transaction, address: Address, secret: str, at: Millis) -> None:
    accounts.set_password(tx, _staying(tx, address).id, secret, at)


def _switch(tx: Transaction, address: Address, disabled: bool) -> bool:
    account = _staying(tx, address)
    if account.disabled == disabled:
        return False
    accounts.set_disabled(tx, account.id, disabled)
    return True


def _staying(tx: Transaction, address: Address) -> Account:
    account = accounts.find(tx, address.local, address.domain)
    if account.leaving:
        raise AccountLeaving(account.address)
    return account


async def _add(database: Database, written: str, secret: str, add_domain: bool) -> str | None:
    try:
        address = parse_address(written.encode())
    except AddressProblem as problem:
        return str(problem)
    try:
        await database.write(create, address, secret, now(), add_domain)
    except Refused as refusal:
        return await explained(database, refusal)
    return None


def _batches(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    source = iter(pairs)
    while some := list(islice(source, AT_ONCE)):
        yield some
