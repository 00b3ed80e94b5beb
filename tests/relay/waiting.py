"""Mail that waits for other hosts, in a real ledger."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from mailhost.administration import queue
from mailhost.administration.queue import Waiting
from mailhost.database.database import Database
from mailhost.delivery.accept import AcceptRequest, accept
from mailhost.delivery.route import Recipient, Route
from mailhost.ids import DeliveryId, JourneyId, MessageId, Millis, fresh, now
from mailhost.message.structure import scan
from mailhost.queue import claims
from mailhost.queue.claims import Claim, Taken
from mailhost.queue.values import Acceptance, Delivery, Share
from mailhost.store.octets import BlobSettings, BlobStore, mapped
from mailhost.store.values import Content

PREFIX = b"Received: from x by y; now\r\n"


def store(database: Database, folder: Path, *, files: bool = True) -> BlobStore:
    return BlobStore(database, BlobSettings(folder / "blobs", files=files))


async def accepted(
    database: Database, blobs: BlobStore, content: bytes, *recipients: str, prefix: bytes = PREFIX, **fields: Any
) -> Acceptance:
    """In the ledger, for recipients elsewhere; `originals` are what ORCPT said of them, in their order."""
    incoming = blobs.incoming()
    await incoming.write(content)
    blob, written = await incoming.finish()
    octets = written if isinstance(written, bytes) else mapped(written)
    originals = fields.pop("originals", None) or [None] * len(recipients)
    acceptance = Acceptance(
        JourneyId(fresh()),
        now(),
        "192.0.2.1",
        "client",
        None,
        "alice@red.test",
        blob.id,
        prefix,
        len(prefix) + blob.size,
    )
    to = [_recipient(each, original) for each, original in zip(recipients, originals, strict=True)]
    acceptance = replace(acceptance, **fields)
    await database.write(accept, AcceptRequest(acceptance, Content(blob, scan(octets)), tuple(to)))
    await incoming.release()
    return acceptance


def _recipient(address: str, original: str | None) -> Recipient:
    route = Route(DeliveryId(fresh()), MessageId(fresh()), address, address.rpartition("@")[2], None)
    return Recipient(DeliveryId(fresh()), address, False, (route,), "FAILURE", original)


async def claimed(database: Database, *shares: Share) -> Sequence[tuple[Delivery, Acceptance]]:
    moment = Millis(now() + 60_000)
    taken: Taken = await database.write(claims.take, Claim(shares, "test", moment, Millis(moment + 60_000), 1_000))
    return taken.rows


async def all_waiting(database: Database, **words: Any) -> list[Waiting]:
    """As an administrator sees them."""
    return [each async for page in queue.waiting(database, queue.Choice(**words)) for each in page]
