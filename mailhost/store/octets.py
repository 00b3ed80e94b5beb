"""The octets of messages: from the wire to where they rest, and back in pieces.

Up to 64 KiB, compressed, in the blob's row; larger ones stream into a file while they still arrive, or, on PostgreSQL without a
shared folder, into rows of 256 KiB.
"""

import asyncio
import hashlib
import mmap
import os
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import zstandard

from mailhost.database.database import Database
from mailhost.ids import BlobId, Millis, fresh, text_of
from mailhost.store import blobs
from mailhost.store.values import Codec, Located, Place, PreparedBlob

T = TypeVar("T")

PIECE_OCTETS = 256 << 10
"""How much of a file is read at once."""
LEVEL = 3
"""Of zstd: 4 KiB of text to 0.38 of its size in 26 us."""


@dataclass(frozen=True, slots=True)
class BlobSettings:
    folder: Path
    inline_octets: int = 64 << 10
    files: bool = True
    """Whether large blobs stay files; on PostgreSQL they become rows."""


class BlobStore:
    """Where octets rest. Two threads do the work on files."""

    def __init__(self, database: Database, settings: BlobSettings) -> None:
        self._database = database
        self.settings = settings
        self._threads = ThreadPoolExecutor(2, "files")
        self._compressor = zstandard.ZstdCompressor(level=LEVEL)
        self._decompressor = zstandard.ZstdDecompressor()

    def incoming(self) -> "Incoming":
        """A place for octets that are about to arrive."""
        return Incoming(self)

    def inline(self, content: bytes) -> PreparedBlob:
        """A small blob, for its row."""
        data = self._compressor.compress(content)
        codec = Codec.ZSTD
        if len(data) >= len(content):
            data, codec = content, Codec.PLAIN
        return PreparedBlob(
            BlobId(fresh()), hashlib.sha256(content).digest(), len(content), len(data), codec, Place.INLINE, data
        )

    async def in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def whole(self, located: Located) -> bytes:
        """A message as served, prefix and blob. For small ones; `pieces` is for all."""
        return b"".join([piece async for piece in self.pieces(located, 0, located.size)])

    async def pieces(self, located: Located, start: int, end: int) -> AsyncIterator[bytes]:
        """Octets `start` to `end` of a message as served, some at a time; the offsets count prefix and blob together.

        The prefix comes with the blob's first piece: a small message is one, and a file that is missing is found before any.
        """
        ahead = len(located.prefix)
        first = located.prefix[start:end]
        if end > ahead:
            async for piece in self.blob_pieces(located.blob, max(start - ahead, 0), end - ahead):
                yield first + piece if first else piece
                first = b""
        if first:
            yield first

    async def blob_pieces(self, id_: BlobId, start: int, end: int) -> AsyncIterator[bytes]:
        row = await self._database.read(blobs.stored_one, id_)
        if row.place is Place.INLINE:
            yield self.expand(row)[start:end]
        elif row.place is Place.FILE:
            async for piece in self._file_pieces(id_, start, min(end, row.size)):
                yield piece
        else:
            async for piece in self._chunk_pieces(id_, start, min(end, row.size)):
                yield piece

    def expand(self, row: PreparedBlob) -> bytes:
        """The octets of an INLINE blob."""
        data = row.data or b""
        return self._decompressor.decompress(data, max_output_size=row.size) if row.codec is Codec.ZSTD else data

    def path_of(self, id_: BlobId) -> Path:
        name = text_of(id_)
        return self.settings.folder / name[-2:] / name

    def files_before(self, id_: BlobId, moment: Millis) -> list[BlobId]:
        """The files of blobs made before `id_` and not written since `moment`, with or without a row. Walks the folder: for a thread."""
        found = ((path, _id_of(path.name)) for path in self.settings.folder.glob("??/*"))
        return sorted(one for path, one in found if one is not None and one < id_ and _is_older(path, moment))

    def remove_file(self, id_: BlobId) -> None:
        self.path_of(id_).unlink(missing_ok=True)

    def close(self) -> None:
        self._threads.shutdown()

    async def _file_pieces(self, id_: BlobId, start: int, end: int) -> AsyncIterator[bytes]:
        file = await self.in_thread(lambda: self.path_of(id_).open("rb"))
        try:
            while start < end:
                piece = await self.in_thread(lambda at=start: os.pread(file.fileno(), min(PIECE_OCTETS, end - at), at))  # type: ignore[misc]
                if not piece:
                    raise OSError(f"blob {text_of(id_)} is shorter than its row says")
                start += len(piece)
                yield piece
        finally:
            file.close()

    async def _chunk_pieces(self, id_: BlobId, start: int, end: int) -> AsyncIterator[bytes]:
        for seq in range(start // blobs.CHUNK_OCTETS, -(-end // blobs.CHUNK_OCTETS)):
            base = seq * blobs.CHUNK_OCTETS
            data = await self._database.read(blobs.chunk, id_, seq)
            yield data[max(start - base, 0) : end - base]


class Incoming:
    """Octets as they arrive: in memory while they are few, then in a file that has no row yet."""

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._parts: list[bytes] = []
        self._waiting = 0
        """Octets in `_parts`."""
        self._working: asyncio.Future[Any] | None = None
        self._file: BinaryIO | None = None
        self._id = BlobId(fresh())
        self._hash = hashlib.sha256()
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Take some more; beyond the bound for rows it goes to disk, in the files' threads."""
        self.size += len(data)
        self._parts.append(data)
        self._waiting += len(data)
        if self.size > self._store.settings.inline_octets and (self._file is None or self._waiting >= PIECE_OCTETS):
            await self._work(self._spill)

    async def finish(self) -> tuple[PreparedBlob, bytes | Path]:
        """Everything has arrived: what its row will say, and the content (or the synced file that holds it)."""
        if self._file is not None:
            return await self._work(self._seal), self._store.path_of(self._id)
        content = b"".join(self._parts)
        return self._store.inline(content), content

    async def release(self) -> None:
        """The write is over: where large messages are rows, the file that they came from goes."""
        if self._file is not None and not self._store.settings.files:
            await self._work(self._remove)

    async def discard(self) -> None:
        """Nothing of it is kept."""
        if self._working is not None:
            await asyncio.wait([self._working])
        self._parts.clear()
        if self._file is not None:
            await self._work(self._remove)

    async def _work(self, call: Callable[[], T]) -> T:
        """One step on the file, whole: a conversation may be cancelled meanwhile, and `discard` must then not overtake it."""
        self._working = step = asyncio.ensure_future(self._store.in_thread(call))
        return await asyncio.shield(step)

    def _spill(self) -> None:
        if self._file is None:
            path = self._store.path_of(self._id)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600), "wb")
        data = b"".join(self._parts)
        self._parts.clear()
        self._waiting = 0
        self._hash.update(data)
        self._file.write(data)

    def _seal(self) -> PreparedBlob:
        assert self._file is not None
        self._spill()
        self._file.flush()
        path = self._store.path_of(self._id)
        if not self._store.settings.files:
            self._file.close()
            return PreparedBlob(
                self._id, self._hash.digest(), self.size, self.size, Codec.PLAIN, Place.CHUNKED, None, path
            )
        os.fsync(self._file.fileno())
        if not os.fstat(self._file.fileno()).st_nlink:
            raise OSError(f"the file of blob {text_of(self._id)} was taken away while its message arrived")
        self._file.close()
        _sync_folder(path.parent)
        _sync_folder(self._store.settings.folder)
        return PreparedBlob(self._id, self._hash.digest(), self.size, self.size, Codec.PLAIN, Place.FILE, None)

    def _remove(self) -> None:
        assert self._file is not None
        with suppress(OSError):  # what could not be written before cannot be written now either
            self._file.close()
        self._store.path_of(self._id).unlink(missing_ok=True)


def mapped(path: Path) -> mmap.mmap:
    """A file as octets; the system frees it with the value."""
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def _id_of(name: str) -> BlobId | None:
    """The blob whose file has this name; what we did not write is not ours to touch."""
    return BlobId(int(name, 16)) if len(name) == 16 and set(name) <= set("0123456789abcdef") else None


def _is_older(path: Path, moment: Millis) -> bool:
    """A message may take longer to arrive than an orphan may stay."""
    try:
        return path.stat().st_mtime * 1000 < moment
    except FileNotFoundError:  # its message was given up meanwhile
        return False


def _sync_folder(folder: Path) -> None:
    """A file's name is durable only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
