"""What the command line asks of `mailhost.administration`, and all of it: the commands know no other way to the database.

It opens the same database as a running server, which hears of the change by a hint. Imported when it is used, so that
`mailhost --version` starts without SQLAlchemy.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import click

from mailhost.cli.exits import EX_DATAERR, EX_NOUSER, Failure
from mailhost.config.settings import Config, Login

if TYPE_CHECKING:
    from mailhost.queue.audit import Sums

T = TypeVar("T")

MOST_TRACED = 100
"""Messages that one trace tells of, and incidents."""
Pair = tuple[str, str]
"""An address and its password."""


async def asked(config: Config, operation: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """An operation of `mailhost.administration`, on the open database. Raises `Failure` with the cure for what it refuses."""
    from mailhost.administration.opening import open_database
    from mailhost.administration.refusals import NOBODY, explained
    from mailhost.database.errors import Refused

    async with open_database(config) as database:
        try:
            return await operation(database, *arguments)
        except Refused as refusal:
            code = EX_NOUSER if isinstance(refusal, NOBODY) else EX_DATAERR
            raise Failure(await explained(database, refusal), code) from None


async def asked_with_octets(config: Config, operation: Callable[..., Awaitable[T]], *arguments: Any) -> T:
    """The same for one that takes the octets of messages too, after the database."""
    from mailhost.administration.opening import blob_store

    async def with_octets(database: Any) -> T:
        octets = blob_store(config, database)
        try:
            return await operation(database, octets, *arguments)
        finally:
            octets.close()

    return await asked(config, with_octets)


async def set_password(config: Config, address: Any, password: str) -> None:
    from mailhost.administration import accounts

    with _hasher(config.login) as hasher:
        await asked(config, accounts.set_password, hasher, address, password)


async def add_accounts(
    config: Config, pairs: Iterable[Pair], *, add_domain: bool = False
) -> AsyncIterator[tuple[str, str | None]]:
    """Each address with None, or with the reason why it has no account now. A domain is there already, or made with `add_domain`."""
    from mailhost.administration import accounts
    from mailhost.administration.opening import open_database

    with _hasher(config.login) as hasher:
        async with open_database(config) as database:
            async for address, reason in accounts.add_accounts(database, hasher, pairs, add_domain=add_domain):
                yield address, reason


async def list_accounts(config: Config) -> list[Any]:
    from mailhost.administration import accounts
    from mailhost.administration.opening import open_database

    async with open_database(config) as database:
        found: list[Any] = await accounts.list_accounts(database)
    return found


async def deliver(
    config: Config, sender: str, recipients: Sequence[str], uid: int, read: Callable[[int], bytes]
) -> None:
    """Hand a message over. Who is named without a domain is of this server's. Raises `Failure`."""
    from mailhost.administration.opening import blob_store, open_database
    from mailhost.cli.asking import parsed
    from mailhost.delivery.agent import Bounds, Handed, MessageRefused
    from mailhost.delivery.agent import deliver as hand_over
    from mailhost.delivery.directory import Directory
    from mailhost.delivery.route import RecipientUnknown
    from mailhost.message.budget import Limits

    bounds = Bounds(
        int(config.smtp.message_octets),
        int(config.limits.header_octets),
        config.smtp.most_hops,
        Limits(parts=config.limits.mime_parts, depth=config.limits.mime_depth),
    )
    async with open_database(config) as database:
        home = await Directory(database).home(config.server.host)
        to = tuple(parsed(each if "@" in each else f"{each}@{home}") for each in recipients)
        by = _sender(sender, config.server.host)
        octets = blob_store(config, database)
        try:
            await hand_over(database, octets, config.server.host, Handed(by, to, uid), read, bounds)
        except RecipientUnknown as unknown:
            raise Failure(f"nobody of this name is here: {unknown}; nothing was delivered", EX_NOUSER) from None
        except MessageRefused as refusal:
            raise Failure(f"{refusal}; nothing was delivered", EX_DATAERR) from None
        finally:
            octets.close()


def _sender(written: str, host: str) -> Any:
    """Who cannot be written to gets no bounce; that is no reason to keep mail from those whom it is for."""
    from mailhost.cli.asking import parsed

    if not written:
        return None
    try:
        return parsed(written if "@" in written else f"{written}@{host}")
    except Failure as problem:
        click.echo(f"mailhost: -f {problem.message}; delivered without a way back", err=True)
        return None


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


async def audit(config: Config) -> tuple[list[Any], "Sums"]:
    """What is not as it must be; and what became of all recipients."""
    from mailhost.administration.audit import audit as findings_of
    from mailhost.administration.audit import proof
    from mailhost.administration.opening import blob_store, open_database

    async with open_database(config) as database:
        octets = blob_store(config, database)
        found: list[Any] = await findings_of(database, octets)
        octets.close()
        sums = await proof(database)
    return found, sums


async def trace(config: Config, words: Sequence[str]) -> list[tuple[list[str], dict[str, Any]]]:
    """Each message that fits, in sentences and as values."""
    from mailhost.administration import trace as journeys
    from mailhost.administration.opening import open_database
    from mailhost.cli.language import meant, meant_in_all, text_of

    async with open_database(config) as database:
        found = await journeys.trace(database, words, MOST_TRACED)
    meanings = journeys.Meanings(lambda *said: text_of(meant(*said)), lambda *said: meant_in_all(*said) or {})
    return [(list(journeys.sentences(each, meanings)), journeys.as_values(each, meanings)) for each in found]


@contextmanager
def _hasher(login: Login) -> Iterator[Any]:
    from mailhost.users.passwords import Cost, Hasher, LoginSettings

    cost = Cost(login.argon2_passes, login.argon2_memory >> 10, login.argon2_lanes)
    hasher = Hasher(LoginSettings(cost, login.threads, login.queue, timedelta(seconds=login.cache_seconds)))
    try:
        yield hasher
    finally:
        hasher.close()
