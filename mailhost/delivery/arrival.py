"""A message on its way in: its header block passes one filter, and its octets go where they will rest, while they still flow."""

import re
from collections.abc import Callable
from pathlib import Path

from mailhost.delivery.surrogate import Made, surrogate_of
from mailhost.message.budget import Limits
from mailhost.message.form import Form
from mailhost.message.structure import Scanned, scan
from mailhost.store.octets import BlobStore, mapped
from mailhost.store.values import Content

HeaderFilter = Callable[[bytes], bytes]

SCAN_IN_LOOP = 32 << 10
"""Octets that are looked at once, in the loop; more is looked at in a thread. Filter and scan of a hostile 32 KiB take 6 ms each."""
DELIMITERS_IN_LOOP = 200
"""Lines that may delimit parts, likewise: 8 us a part, and a part has as few as 5 octets."""

_FIELD_NAME = re.compile(rb"[!-9;-~]++[ \t]*+:")


class HeaderTooLarge(Exception):
    """The header block is beyond its bound."""


class Arrival:
    """The octets of one message, decoded from the wire. Nothing is kept until `finish`; `discard` undoes all of it."""

    def __init__(
        self,
        blobs: BlobStore,
        filter_header: HeaderFilter,
        limits: Limits,
        header_octets: int,
        *,
        smtputf8: bool = False,
        binary: bool = False,
    ) -> None:
        """With `smtputf8` the header may be UTF-8 (RFC 6531); with `binary` there may be NUL and bare newlines (RFC 3030)."""
        self._may_hold = (Form.UTF8 if smtputf8 else Form.PLAIN) | (Form.BINARY if binary else Form.PLAIN)
        self._other: Made | None = None
        self._last = b"\r\n"
        """The last octets kept: whether they end a line."""
        self._blobs = blobs
        self._incoming = blobs.incoming()
        self._filter = filter_header
        self._limits = limits
        self._most_header = header_octets
        self._head: bytearray | None = bytearray()
        """What may be header block; None once it has passed the filter."""
        self._has_field = False
        """Whether the first line of `_head` is there, and is a field."""
        self._searched = 0
        """Octets of `_head` in which the end was looked for: each is looked at once, however small the pieces are."""
        self.size = 0

    async def write(self, data: bytes) -> None:
        """Take some octets. Raises `HeaderTooLarge`."""
        self.size += len(data)
        if self._head is None:
            await self._keep(data)
            return
        self._head += data
        end = _header_end(self._head, self._searched) if self._is_header() else 0
        if (len(self._head) if end is None else end) > self._most_header:
            raise HeaderTooLarge
        if end is None:
            self._searched = len(self._head)
        else:
            await self._pass_header(end)

    async def finish(self) -> Content:
        """All has arrived: scanned, and ready for its row."""
        if self._head is not None:  # a header and no body
            await self._pass_header(len(self._head))
        blob, content = await self._incoming.finish()
        structure = await structure_of(self._blobs, content, self._limits)
        crlf_size = None if self._last == b"\r\n" else blob.size + 2
        if self._may_hold is not Form.PLAIN:
            self._other = await surrogate_of(self._blobs, content, structure, self._may_hold, self._limits)
        if self._other is None:
            return Content(blob, structure, crlf_size=crlf_size)
        return Content(blob, structure, self._other.requires, self._other.content, crlf_size)

    async def discard(self) -> None:
        await self._incoming.discard()
        if self._other is not None:
            await self._other.discard()

    async def release(self) -> None:
        """The transaction is over, one way or the other."""
        await self._incoming.release()
        if self._other is not None:
            await self._other.release()

    def _is_header(self) -> bool:
        """Whether the content may begin with a header block; when its first line is no field, all of it is body."""
        assert self._head is not None
        if self._has_field or self._head.startswith(b"\r\n") or self._head.find(b"\n", self._searched) < 0:
            return True
        self._has_field = _FIELD_NAME.match(self._head) is not None
        return self._has_field

    async def _pass_header(self, end: int) -> None:
        assert self._head is not None
        head, self._head = bytes(self._head), None
        header = head[:end]
        if end > SCAN_IN_LOOP:
            header = await self._blobs.in_thread(lambda: self._filter(header))
        elif end or not head:
            header = self._filter(header)
        await self._keep(header + head[end:])

    async def _keep(self, data: bytes) -> None:
        if data:
            self._last = (self._last + data[-2:])[-2:]
        await self._incoming.write(data)


async def structure_of(blobs: BlobStore, content: bytes | Path, limits: Limits) -> Scanned:
    """What the scanner finds; of large messages, and of those with many parts, in the files' threads."""
    if isinstance(content, Path):
        return await blobs.in_thread(lambda: _scan_file(content, limits))
    if _is_costly(content):
        return await blobs.in_thread(lambda: scan(content, limits))
    return scan(content, limits)


def _header_end(head: bytearray, searched: int) -> int | None:
    """Where the header block ends, its empty line included."""
    if head.startswith(b"\r\n"):
        return 2
    end = head.find(b"\r\n\r\n", max(searched - 3, 0))
    return None if end < 0 else end + 4


def _is_costly(content: bytes) -> bool:
    """Whether to scan it would hold the loop's thread for too long."""
    return len(content) > SCAN_IN_LOOP or content.count(b"\n--") > DELIMITERS_IN_LOOP


def _scan_file(path: Path, limits: Limits) -> Scanned:
    return scan(mapped(path), limits)
