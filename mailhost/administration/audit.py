"""Audit: is everything that was accepted there, whole, and counted right? It reads only, beside a running server too."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

import zstandard
from sqlalchemy.exc import NoResultFound

from mailhost.administration.surrogates import surrogates
from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, BlobId, text_of
from mailhost.queue import audit as queue
from mailhost.queue import entries
from mailhost.queue.audit import Sums
from mailhost.store import audit as store
from mailhost.store import blobs
from mailhost.store.octets import BlobStore
from mailhost.store.values import PreparedBlob
from mailhost.users import domains

PAGE = 500

OF_ACCOUNTS: Mapping[str, Callable[[Transaction, AccountId], list[str]]] = {
    "counters": store.counters,
    "uids": store.uids,
    "mod-sequences": store.mod_sequences,
    "wholeness": store.wholeness,
    "surrogates": store.surrogates,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it must be."""

    check: str
    """Which rule: counters, uids, mod-sequences, wholeness, surrogates, ledger, blobs."""
    text: str


async def audit(database: Database, octets: BlobStore) -> list[Finding]:
    """All that is wrong; an empty list when nothing is. Every account, the ledger, and the octets of every message."""
    return [
        *[finding async for finding in _accounts(database)],
        *[Finding("surrogates", text) async for text in surrogates(database, octets)],
        *[Finding("ledger", text) for text in await _ledger(database)],
        *[Finding("blobs", text) async for text in _unreadable(database, octets)],
    ]


async def proof(database: Database) -> Sums:
    """Of all that was accepted and is not yet forgotten: what became of it."""
    return await database.read(queue.sums)


async def _accounts(database: Database) -> AsyncIterator[Finding]:
    for account in await database.read(store.accounts):
        for check, question in OF_ACCOUNTS.items():
            for text in await database.read(question, account):
                yield Finding(check, text)


async def _ledger(database: Database) -> list[str]:
    return [
        *await database.read(queue.ledger),
        *await database.read(queue.nowhere_to_go, domains.names()),
        *await database.read(store.misplaced, queue.stored_places()),
        *await database.read(store.missing_blobs, entries.blobs_in_use()),
    ]


async def _unreadable(database: Database, octets: BlobStore) -> AsyncIterator[str]:
    """Each blob that cannot be read back as it was accepted."""
    last = BlobId(-1)
    while page := await database.read(store.blob_ids, last, PAGE):
        last = page[-1]
        for id_ in page:
            fault = await _fault(database, octets, id_)
            if fault:
                yield f"blob {text_of(id_)} {fault}"


async def _fault(database: Database, octets: BlobStore, id_: BlobId) -> str:
    row = (await database.read(blobs.stored, [id_])).get(id_)
    if row is None:
        return ""  # it was dead, and the sweeper came
    try:
        return await _difference(octets, row)
    except (OSError, zstandard.ZstdError, NoResultFound) as error:
        if not await database.read(blobs.stored, [id_]):
            return ""
        return f"cannot be read: {error}"


async def _difference(octets: BlobStore, row: PreparedBlob) -> str:
    size, digest = 0, hashlib.sha256()
    async for piece in octets.blob_pieces(row.id, 0, row.size):
        size += len(piece)
        digest.update(piece)
    if size != row.size:
        return f"has {size} octets, its row says {row.size}"
    return "" if digest.digest() == row.sha256 else "is not what was accepted: its SHA-256 differs"
