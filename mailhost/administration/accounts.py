"""Accounts with their mailboxes, from an address and a password."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from itertools import islice

from mailhost.config.settings import Config
from mailhost.database.database import Database
from mailhost.database.errors import Refused
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import AcceptRequest, accept
from mailhost.delivery.arrival import Arrival
from mailhost.delivery.directory import Directory
from mailhost.delivery.header_filter import submitted
from mailhost.ids import AccountId, DomainId, JourneyId, MailboxId, Millis, fresh, now
from mailhost.message.address import Address, AddressProblem, parse_address
from mailhost.message.budget import Limits
from mailhost.queue.values import Acceptance
from mailhost.store import mailboxes
from mailhost.store.octets import BlobStore
from mailhost.users import accounts, domains
from mailhost.users.errors import AccountExists, DomainExists, DomainMissing
from mailhost.users.passwords import Hasher
from mailhost.users.values import Account

AT_ONCE = 64
"""Passwords that are hashed while others wait; their accounts share commits."""
WELCOME_HEADER = """\
From: mailhost <postmaster@{domain}>\r
To: <{address}>\r
Subject: Welcome to mailhost\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
\r
"""
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


async def welcome(database: Database, config: Config, blobs: BlobStore, address: str, text: str) -> None:
    """Deliver a first message, by the way that every message takes."""
    journey, at = JourneyId(fresh()), now()
    to = parse_address(address.encode())
    arrival = Arrival(
        blobs, lambda header: submitted(header, config.server.host, journey, at), Limits(), config.limits.header_octets
    )
    await arrival.write(
        WELCOME_HEADER.format(domain=to.domain, address=address).encode() + text.replace("\n", "\r\n").encode()
    )
    content = await arrival.finish()
    recipient = await Directory(database).route(to.local, to.domain)
    acceptance = Acceptance(journey, at, "", "", None, "", content.blob.id, b"", content.blob.size)
    await database.write(accept, AcceptRequest(acceptance, content, (recipient,)))


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
