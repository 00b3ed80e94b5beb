"""A message on its way in: its header block passes one filter, and its octets go where they will rest, while they still flow."""

import mmap
import re
from collections.abc import Callable
from pathlib import Path

from mailhost.message.budget import Limits
from mailhost.message.structure import Scanned, scan
from mailhost.store.octets import BlobStore
from mailhost.store.values import Content

HeaderFilter = Callable[[bytes], bytes]

SCAN_IN_LOOP = 256 << 10
"""Octets that are scanned at once; more is scanned in a thread."""


_FIELD_NAME = re.compile(rb"[!-9;-~]+[ \t]*:")


class HeaderTooLarge(Exception):
    """The header block is beyond its bound."""


class Arrival:
    """The octets of one message, decoded from the wire. Nothing is kept until `finish`; `discard` undoes the rest."""

    def __init__(self, blobs: BlobStore, filter_header: HeaderFilter, limits: Limits, header_octets: int) -> None:
        self._blobs = blobs
        self._incoming = blobs.incoming()
        self._filter = filter_header
        self._limits = limits
        self._most_header = header_octets
        self._head: bytes | None = b""
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Take some octets. Raises `HeaderTooLarge`."""
        self.size += len(data)
        if self._head is None:
            await self._incoming.write(data)
            return
        seen = max(len(self._head) - 3, 0)
        self._head += data
        end = _header_end(self._head, seen)
        if _is_no_header(self._head):
            head, self._head = self._head, None
            await self._incoming.write(head)
        elif end is not None:
            head, self._head = self._head, None
            await self._incoming.write(self._filter(head[:end]) + head[end:])
        elif len(self._head) > self._most_header:
            raise HeaderTooLarge

    async def finish(self) -> Content:
        """All has arrived: scanned, and ready for its row. Raises `HeaderTooLarge`."""
        if self._head is not None:  # a header and no body
            head, self._head = self._head, None
            await self._incoming.write(self._filter(head))
        blob, content = await self._incoming.finish()
        return Content(blob, await self._scan(content))

    async def discard(self) -> None:
        await self._incoming.discard()

    async def _scan(self, content: bytes | Path) -> Scanned:
        if isinstance(content, Path):
            return await self._blobs.in_thread(lambda: _scan_file(content, self._limits))
        if len(content) > SCAN_IN_LOOP:
            return await self._blobs.in_thread(lambda: scan(content, self._limits))
        return scan(content, self._limits)


def _is_no_header(head: bytes) -> bool:
    """Whether the first line is there, and no field: all of the content is body then."""
    return b"\n" in head and not head.startswith(b"\r\n") and _FIELD_NAME.match(head) is None


def _header_end(head: bytes, start: int) -> int | None:
    """Where the header block ends, its empty line included."""
    if head.startswith(b"\r\n"):
        return 2
    end = head.find(b"\r\n\r\n", start)
    return None if end < 0 else end + 4


def _scan_file(path: Path, limits: Limits) -> Scanned:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return scan(content, limits)
