"""Audit of surrogates: are their octets plain mail, and is their structure the one that the scanner finds in them?"""

import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import zstandard
from sqlalchemy.exc import NoResultFound

from mailhost.database.database import Database
from mailhost.ids import MessageId, text_of
from mailhost.message.form import Form
from mailhost.message.structure import scan
from mailhost.message.surrogate import surrogate
from mailhost.store import audit as store
from mailhost.store.audit import Kept, Surrogate
from mailhost.store.octets import BlobStore, mapped

PAGE = 500


async def surrogates(database: Database, octets: BlobStore) -> AsyncIterator[str]:
    """What is wrong with each surrogate that can be read; those that cannot are found as blobs."""
    for account in await database.read(store.accounts):
        last = MessageId(0)
        while page := await database.read(store.surrogate_page, account, last, PAGE):
            last = page[-1].id
            for each in page:
                for fault in await _faults(database, octets, each):
                    yield f"surrogate {text_of(each.id)} {fault}"


async def _faults(database: Database, octets: BlobStore, it: Surrogate) -> list[str]:
    kept = await database.read(store.kept, it.account, it.id)
    if kept is None:  # lost, or the sweeper came: the store's own question tells
        return []
    try:
        with tempfile.NamedTemporaryFile(prefix="mailhost-audit-") as file:
            async for piece in octets.blob_pieces(kept.located.blob, 0, kept.located.size):
                await octets.in_thread(lambda piece=piece: file.write(piece))  # type: ignore[misc]  # mypy loses the default's type
            file.flush()
            return await octets.in_thread(lambda: _of_content(Path(file.name), it, kept))
    except (OSError, zstandard.ZstdError, NoResultFound):
        return []


def _of_content(path: Path, it: Surrogate, kept: Kept) -> list[str]:
    content = mapped(path) if path.stat().st_size else b""
    found = scan(content)
    differs = [name for name, said in kept.structure.items() if getattr(found, name) != said]
    faults = [f"is not what its row says: {', '.join(differs)}"] if differs else []
    if not kept.located.prefix.isascii():
        faults.append("has a prefix that is not ASCII")
    if it.requires & Form.UTF8 and it.of != kept.located.blob and surrogate(content, found.parts, Form.UTF8):
        faults.append("has headers that are not ASCII")
    if it.requires & Form.BINARY and content.find(b"\0") >= 0:
        faults.append("has NUL in it")
    return faults
