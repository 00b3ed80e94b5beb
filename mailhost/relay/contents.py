"""The octets of a message as another host is to have them: our own fields before them, converted where that host takes no other.

What is in a message is known by looking, not by what its client said: 8-bit text comes labelled as 7BIT every day.
"""

import tempfile
from collections import OrderedDict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mailhost.ids import BlobId
from mailhost.message.budget import Limits
from mailhost.message.downgrade import downgraded
from mailhost.message.form import Form
from mailhost.message.structure import Content as Octets
from mailhost.message.structure import scan
from mailhost.message.surrogate import Surrogate, pieces, surrogate
from mailhost.queue.values import Acceptance
from mailhost.smtp.client.outgoing import Content
from mailhost.store.octets import PIECE_OCTETS, BlobStore, mapped

MOST_REMEMBERED = 1_000
IN_MEMORY = 1 << 20
"""Octets of a message that is converted; a larger one is looked at where it rests."""
KEPT_OCTETS = 8 << 10
"""Of a small message, which is read once for all hosts that it goes to: 8 MiB of them at most."""
BEGINNING = 4_096
"""Octets that tell whether a message begins with a field."""
END_OF_FIELDS = b"\r\n"


@dataclass(frozen=True, slots=True)
class _Look:
    """What was found in a blob."""

    requires: Form
    begins_with_field: bool
    whole: bytes | None
    """Of a small one."""


class Contents:
    """Looks at each message once, however many hosts it goes to."""

    def __init__(self, blobs: BlobStore, limits: Limits = Limits()) -> None:
        self._blobs, self._limits = blobs, limits
        self._seen: OrderedDict[BlobId, _Look] = OrderedDict()

    async def of(self, accepted: Acceptance) -> Content:
        look = self._seen.get(accepted.blob) or await self._look(accepted)
        self._seen[accepted.blob] = look
        self._seen.move_to_end(accepted.blob)
        if len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return _Stored(self, accepted, _prefix(accepted, look), look.requires)

    async def _look(self, accepted: Acceptance) -> _Look:
        """Files are read in their threads, a piece at a time."""
        is_ascii, beginning, kept = True, b"", b""
        async for piece in self._read(accepted):
            beginning = beginning or piece[:BEGINNING]
            is_ascii = is_ascii and piece.isascii()
            kept = kept + piece if len(kept) <= KEPT_OCTETS else kept
        requires = Form.PLAIN if is_ascii else Form.EIGHTBIT
        if accepted.body == "BINARYMIME":
            requires |= Form.BINARY
        if accepted.smtputf8 and not is_ascii and await self._has_utf8_header(accepted):
            requires |= Form.UTF8
        whole = kept if len(kept) == _blob_octets(accepted) <= KEPT_OCTETS else None
        return _Look(requires, _begins_with_field(beginning), whole)

    async def _has_utf8_header(self, accepted: Acceptance) -> bool:
        """Of the message, or of a part; that the client said SMTPUTF8 is not enough (RFC 6531 section 3.4)."""
        plan = await self.plan(await self.octets(accepted), Form.UTF8)
        return plan is not None

    async def plan(self, octets: Octets, form: Form) -> Surrogate | None:
        return await self._blobs.in_thread(
            lambda: surrogate(octets, scan(octets, self._limits).parts, form, self._limits)
        )

    async def some(self, rest: Iterator[bytes]) -> bytes:
        """As much of a converted message as one call shall make; nothing at the end."""
        return await self._blobs.in_thread(partial(_some, rest))

    async def pieces(self, accepted: Acceptance) -> AsyncIterator[bytes]:
        look = self._seen.get(accepted.blob)
        if look is not None and look.whole is not None:
            yield look.whole
            return
        async for piece in self._read(accepted):
            yield piece

    def _read(self, accepted: Acceptance) -> AsyncIterator[bytes]:
        return self._blobs.blob_pieces(accepted.blob, 0, _blob_octets(accepted))

    async def octets(self, accepted: Acceptance) -> Octets:
        """All of it at once: in memory, or where its file is; in a file of its own where it is kept in rows."""
        if _blob_octets(accepted) <= IN_MEMORY:
            return b"".join([piece async for piece in self.pieces(accepted)])
        path = self._blobs.path_of(accepted.blob)
        if await self._blobs.in_thread(path.exists):
            return await self._blobs.in_thread(lambda: mapped(path))
        file = await self._blobs.in_thread(tempfile.NamedTemporaryFile)
        try:
            async for piece in self.pieces(accepted):
                await self._blobs.in_thread(partial(file.write, piece))
            await self._blobs.in_thread(file.flush)
            return await self._blobs.in_thread(lambda: mapped(Path(file.name)))
        finally:
            await self._blobs.in_thread(file.close)


@dataclass(frozen=True, slots=True)
class _Stored:
    """A message as it was accepted. Return-Path and Delivered-To are no part of it: they belong to copies in mailboxes."""

    contents: Contents
    accepted: Acceptance
    prefix: bytes
    requires: Form

    @property
    def octets(self) -> int:
        return len(self.prefix) + _blob_octets(self.accepted)

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self.prefix
        async for piece in self.contents.pieces(self.accepted):
            yield piece

    async def without(self, form: Form) -> Content:
        octets = await self.contents.octets(self.accepted)
        plan = await self.contents.plan(octets, form)
        left = self.requires & ~form
        if plan is None:
            return _Stored(self.contents, self.accepted, self.prefix, left)
        return await _converted(self, octets, plan, left)


@dataclass(frozen=True, slots=True)
class _Converted:
    """A message with other headers, or other encodings of its parts."""

    stored: _Stored
    source: Octets
    plan: Surrogate
    prefix: bytes
    octets: int
    requires: Form

    async def pieces(self) -> AsyncIterator[bytes]:
        yield self.prefix
        rest = pieces(self.source, self.plan)
        while some := await self.stored.contents.some(rest):
            yield some

    async def without(self, form: Form) -> Content:
        """Never asked for: what can be left out was left out at once."""
        return await self.stored.without(form)


async def _converted(stored: _Stored, source: Octets, plan: Surrogate, left: Form) -> _Converted:
    """Its size is counted by writing it once. A message without a header may have got one: then our fields go on with it."""
    count, beginning = 0, b""
    rest = pieces(source, plan)
    while some := await stored.contents.some(rest):
        count, beginning = count + len(some), beginning or some[:BEGINNING]
    fields = stored.accepted.prefix
    prefix = fields if _begins_with_field(beginning) else fields + END_OF_FIELDS
    if not left & Form.UTF8:
        prefix = downgraded(prefix)
    return _Converted(stored, source, plan, prefix, len(prefix) + count, left)


def _prefix(accepted: Acceptance, look: _Look) -> bytes:
    """Our own fields, kept apart from content that does not begin with one; an alias in UTF-8 that they name asks nothing of other hosts."""
    fields = accepted.prefix if look.requires & Form.UTF8 else downgraded(accepted.prefix)
    return fields if look.begins_with_field else fields + END_OF_FIELDS


def _begins_with_field(beginning: bytes) -> bool:
    return scan(beginning).begins_with_field


def _blob_octets(accepted: Acceptance) -> int:
    return accepted.size - len(accepted.prefix)


def _some(rest: Iterator[bytes]) -> bytes:
    taken, octets = [], 0
    for piece in rest:
        taken.append(piece)
        octets += len(piece)
        if octets >= PIECE_OCTETS:
            break
    return b"".join(taken)
