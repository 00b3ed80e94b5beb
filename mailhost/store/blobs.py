"""Blobs in the database: the rows of messages' octets, and which of them are dead."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, union_all
from sqlalchemy import bindparam as bind
from sqlalchemy.exc import NoResultFound

from mailhost.database.hot import Hot
from mailhost.database.marks import long, one_statement
from mailhost.database.transaction import Transaction
from mailhost.database.types import Among, one_of
from mailhost.ids import BlobId
from mailhost.store.tables import blob, blob_chunk
from mailhost.store.values import Codec, Place, PreparedBlob

CHUNK_OCTETS = 256 << 10
CHUNKS_AT_ONCE = 8

COLUMNS = ("id", "sha256", "size", "stored_size", "codec", "place", "data")
INSERT = Hot(insert(blob), *COLUMNS)
INSERT_CHUNK = Hot(insert(blob_chunk), "blob_id", "seq", "data")
ONE = Hot(select(blob).where(blob.c.id == bind("blob")), "blob")
SOME = Among(select(blob), blob.c.id)


@dataclass(frozen=True, slots=True)
class Window:
    """Some blobs, by the order of their making."""

    above: BlobId
    below: BlobId
    most: int


@dataclass(frozen=True, slots=True)
class Unused:
    """What was found in a window, and the last blob of it (None: there are no more)."""

    last: BlobId | None
    ids: tuple[BlobId, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows went, and which of them have files that are to go now."""

    count: int
    files: tuple[BlobId, ...]


def insert_many(tx: Transaction, blobs: Sequence[PreparedBlob]) -> None:
    """A FILE is synced, and so is its folder, before its row commits: a row without its file cannot happen."""
    tx.many(INSERT, [_row(each) for each in blobs])
    for each in blobs:
        if each.place is Place.CHUNKED:
            _insert_chunks(tx, each)


def stored(tx: Transaction, ids: Sequence[BlobId]) -> dict[BlobId, PreparedBlob]:
    """The rows of some blobs; the octets of INLINE ones come with them."""
    return {row.id: _value(row) for row in tx.found(*SOME(ids))}


@one_statement
def stored_one(tx: Transaction, id_: BlobId) -> PreparedBlob:
    """`stored` for one blob. Raises `NoResultFound`."""
    rows = tx.found(ONE, id_)
    if not rows:
        raise NoResultFound
    return _value(rows[0])


def chunk(tx: Transaction, id_: BlobId, seq: int) -> bytes:
    octets: bytes = tx.execute(
        select(blob_chunk.c.data).where(blob_chunk.c.blob_id == id_, blob_chunk.c.seq == seq)
    ).scalar_one()
    return octets


def file_ids(tx: Transaction, ids: Sequence[BlobId]) -> set[BlobId]:
    """Which of these blobs have a row: a file without one is an orphan."""
    return set(tx.execute(select(blob.c.id).where(one_of(blob.c.id, ids))).scalars())


@long
def unused(tx: Transaction, in_use: Sequence[Select[Any]], window: Window) -> Unused:
    """The blobs of a window that no `Select` of `in_use` names."""
    within = blob.c.id > window.above, blob.c.id < window.below
    ids = list(tx.execute(select(blob.c.id).where(*within).order_by(blob.c.id).limit(window.most)).scalars())
    if not ids:
        return Unused(None, ())
    return Unused(ids[-1], tuple(row.id for row in _dead(tx, in_use, ids)))


@long
def remove_unused(tx: Transaction, in_use: Sequence[Select[Any]], ids: Sequence[BlobId]) -> Removed:
    """Delete those of some blobs that are unused still."""
    dead = _dead(tx, in_use, ids)
    gone = [row.id for row in dead]
    tx.execute(delete(blob).where(one_of(blob.c.id, gone)))
    tx.execute(delete(blob_chunk).where(one_of(blob_chunk.c.blob_id, gone)))
    return Removed(len(gone), tuple(row.id for row in dead if row.place == Place.FILE))


def _dead(tx: Transaction, in_use: Sequence[Select[Any]], ids: Sequence[BlobId]) -> Sequence[Row[Any]]:
    """One statement asks all: on PostgreSQL another node may move a use from one table to another meanwhile."""
    named = [each.subquery() for each in in_use]
    used = union_all(*(select(each.c[0]).where(one_of(each.c[0], ids)) for each in named)).subquery()
    unnamed = blob.c.id.not_in(select(used.c[0]))
    return tx.execute(select(blob.c.id, blob.c.place).where(one_of(blob.c.id, ids), unnamed).order_by(blob.c.id)).all()


def _value(row: Any) -> PreparedBlob:
    return PreparedBlob(row.id, row.sha256, row.size, row.stored_size, Codec(row.codec), Place(row.place), row.data)


def _row(each: PreparedBlob) -> tuple[Any, ...]:
    data = each.data if each.place is Place.INLINE else None
    return (each.id, each.sha256, each.size, each.stored_size, int(each.codec), int(each.place), data)


def _insert_chunks(tx: Transaction, each: PreparedBlob) -> None:
    """Some at a time: a large message is never whole in memory."""
    with each.source.open("rb") if each.source else BytesIO(each.data or b"") as file:
        pieces = enumerate(iter(lambda: file.read(CHUNK_OCTETS), b""))
        while rows := [(each.id, seq, piece) for seq, piece in islice(pieces, CHUNKS_AT_ONCE)]:
            tx.many(INSERT_CHUNK, rows)
