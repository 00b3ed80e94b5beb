"""Accounts and domains deleted, with all that is theirs: at once for everybody else, then piece by piece.

A crash in the midst leaves an account that takes no mail and no login, and whose store is whole; to delete it again goes on.
What the ledger says of its mail stays for its time.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from mailhost.administration.sweeper import IN_USE
from mailhost.database.database import Database
from mailhost.database.errors import Refused
from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, BlobId, Millis, now
from mailhost.message.address import Address, parse_domain
from mailhost.queue import entries
from mailhost.store import blobs
from mailhost.store import removal as store
from mailhost.store.octets import BlobStore
from mailhost.users import domains, removal
from mailhost.users.values import Account

AT_ONCE = 200
"""Messages that one transaction takes away: some hundredths of a second, in which nobody else writes."""
BREATH_SECONDS = 0.01
"""Between two of them, so that a server beside us comes to write."""
REASON = "its account was deleted"


class StillThere(Refused):
    """A session that had not heard yet has put something into a mailbox."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """What went with an account."""

    address: str
    messages: int
    """Those expunged and not yet forgotten are counted too."""
    aliases: tuple[str, ...] = ()
    """Those that led there."""
    cancelled: int = 0
    """Messages that waited to be stored."""


async def delete_account(database: Database, octets: BlobStore, address: Address) -> Deleted:
    """Raises `AccountMissing`, `PostmasterNeeded`, `PostmasterItself`, `CommitFailed`."""
    account, aliases = await database.write(removal.begin, address.local, address.domain)
    return await _take_away(database, octets, account, aliases)


async def delete_domain(database: Database, octets: BlobStore, name: str, with_accounts: bool) -> list[Deleted]:
    """Raises `AddressProblem`, `NoSuchDomain`, `DomainInUse`, `PostmasterNeeded`, `CommitFailed`."""
    domain = parse_domain(name)
    theirs = await database.write(removal.begin_domain, domain) if with_accounts else []
    deleted = [await _take_away(database, octets, account, ()) for account in theirs]
    await database.write(domains.remove, domain)
    return deleted


async def _take_away(database: Database, octets: BlobStore, account: Account, aliases: Sequence[str]) -> Deleted:
    gone = 0
    while True:
        count, files = await database.write(_take_some, account.id, AT_ONCE, now())
        gone += count
        await _remove_files(octets, files)
        if count == 0:
            with suppress(StillThere):
                cancelled = await database.write(_end, account, now())
                return Deleted(account.address, gone, tuple(aliases), cancelled)
        await asyncio.sleep(BREATH_SECONDS)


@long
def _take_some(tx: Transaction, account: AccountId, most: int, at: Millis) -> tuple[int, Sequence[BlobId]]:
    """Messages, and their octets where nobody else has them: answers with how many, and whose files may go."""
    taken = store.take_messages(tx, account, most, at)
    return taken.count, blobs.remove_unused(tx, IN_USE, taken.blobs).files


@long
def _end(tx: Transaction, account: Account, at: Millis) -> int:
    """The account's row first: who makes a mailbox meanwhile, on another node, takes it too. Raises `StillThere`."""
    removal.end(tx, account.id)
    if not store.take_mailboxes(tx, account.id):
        raise StillThere
    return entries.cancel_waiting_here(tx, account.address, REASON, at)


async def _remove_files(octets: BlobStore, ids: Sequence[BlobId]) -> None:
    for id_ in ids:
        with suppress(OSError):  # the sweeper finds it again
            await octets.in_thread(lambda id_=id_: octets.remove_file(id_))  # type: ignore[misc]  # mypy loses the default's type
