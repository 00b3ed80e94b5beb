"""Accounts with their mailboxes, from an address and a password."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from itertools import islice

from mailhost.database.database import Database
from mailhost.database.errors import Refused
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, DomainId, MailboxId, Millis, fresh, now
from mailhost.message.address import Address, AddressProblem, parse_address
from mailhost.store import mailboxes
from mailhost.users import accounts, domains
from mailhost.users.errors import AccountExists, DomainExists, DomainMissing
from mailhost.users.passwords import Hasher
from mailhost.users.values import Account

AT_ONCE = 64
"""Passwords that are hashed while others wait; their accounts share commits."""
REASONS = {AccountExists: "there is an account or an alias of this name", DomainMissing: "no such domain"}


def create(tx: Transaction, address: Address, secret: str, at: Millis) -> AccountId:
    """An account and the mailboxes that clients look for, in a domain that is made if it is not there."""
    with suppress(DomainExists):
        domains.add(tx, DomainId(fresh()), address.domain, at)
    account = AccountId(fresh())
    accounts.add_account(tx, account, address.local, address.domain, secret, at)
    for name, use in mailboxes.FIRST_MAILBOXES:
        mailboxes.create(tx, account, MailboxId(fresh()), name, accounts.next_uid_validity(tx, account, at), use)
    return account


async def add_accounts(
    database: Database, hasher: Hasher, pairs: Iterable[tuple[str, str]]
) -> AsyncIterator[tuple[str, str | None]]:
    """Each address with None, or with the reason why it has no account now."""
    for some in _batches(pairs):
        secrets = await asyncio.gather(*(hasher.hash(password) for _, password in some))
        reasons = await asyncio.gather(
            *(_add(database, *each) for each in zip((address for address, _ in some), secrets, strict=True))
        )
        for (address, _), reason in zip(some, reasons, strict=True):
            yield address, reason


async def list_accounts(database: Database) -> list[Account]:
    return await database.read(accounts.list_accounts)


async def _add(database: Database, written: str, secret: str) -> str | None:
    try:
        address = parse_address(written.encode())
    except AddressProblem as problem:
        return str(problem)
    try:
        await database.write(create, address, secret, now())
    except Refused as refusal:
        return REASONS.get(type(refusal), type(refusal).__name__)
    return None


def _batches(pairs: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    source = iter(pairs)
    while some := list(islice(source, AT_ONCE)):
        yield some
