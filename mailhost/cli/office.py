"""What the command line asks of `mailhost.administration`, and all of it: the commands know no other way to the database.

It opens the same database as a running server, which hears of the change by a hint. Imported when it is used, so that
`mailhost --version` starts without SQLAlchemy.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from mailhost.cli.exits import EX_DATAERR, Failure
from mailhost.config.settings import Config, Login

Pair = tuple[str, str]
"""An address and its password."""


async def add_accounts(config: Config, pairs: Iterable[Pair]) -> AsyncIterator[tuple[str, str | None]]:
    """Each address with None, or with the reason why it has no account now."""
    from mailhost.administration import accounts
    from mailhost.administration.opening import open_database

    with _hasher(config.login) as hasher:
        async with open_database(config) as database:
            async for address, reason in accounts.add_accounts(database, hasher, pairs):
                yield address, reason


async def list_accounts(config: Config) -> list[Any]:
    from mailhost.administration import accounts
    from mailhost.administration.opening import open_database

    async with open_database(config) as database:
        found: list[Any] = await accounts.list_accounts(database)
    return found


async def welcome(config: Config, addresses: Iterable[str], message: str) -> None:
    """Deliver a first message to each address, by the way that every message takes."""
    from mailhost.administration.opening import blob_store, open_database
    from mailhost.delivery.local import deliver_notice
    from mailhost.message.address import parse_address

    async with open_database(config) as database:
        blobs = blob_store(config, database)
        for address in addresses:
            to = parse_address(address.encode())
            await deliver_notice(database, blobs, config.server.host, to, "Welcome to mailhost", message)
        blobs.close()


async def add_domain(config: Config, name: str) -> None:
    """Raises `Failure`."""
    from mailhost.administration import domains
    from mailhost.administration.opening import open_database
    from mailhost.users.errors import DomainExists

    async with open_database(config) as database:
        try:
            await domains.add_domain(database, name)
        except DomainExists:
            raise Failure(f"{name}: there is such a domain already", EX_DATAERR) from None


async def list_domains(config: Config) -> list[str]:
    from mailhost.administration import domains
    from mailhost.administration.opening import open_database

    async with open_database(config) as database:
        found: list[str] = await domains.list_domains(database)
    return found


async def audit(config: Config) -> list[Any]:
    """What is not as it must be."""
    from mailhost.administration.audit import audit as findings_of
    from mailhost.administration.opening import blob_store, open_database

    async with open_database(config) as database:
        octets = blob_store(config, database)
        found: list[Any] = await findings_of(database, octets)
        octets.close()
    return found


async def trace(config: Config, words: Sequence[str]) -> list[tuple[list[str], dict[str, Any]]]:
    """Each message that fits, in sentences and as values."""
    from mailhost.administration import trace as journeys
    from mailhost.administration.opening import open_database

    async with open_database(config) as database:
        found = await journeys.trace(database, words)
    return [(list(journeys.sentences(each)), journeys.as_values(each)) for each in found]


@contextmanager
def _hasher(login: Login) -> Iterator[Any]:
    from mailhost.users.passwords import Cost, Hasher, LoginSettings

    cost = Cost(login.argon2_passes, login.argon2_memory >> 10, login.argon2_lanes)
    hasher = Hasher(LoginSettings(cost, login.threads, login.queue, timedelta(seconds=login.cache_seconds)))
    try:
        yield hasher
    finally:
        hasher.close()
