"""The surrogate of a message that comes in, made and put where octets rest: for SMTP, for what waits, and for IMAP's APPEND."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mailhost.ids import MessageId
from mailhost.message.budget import Limits
from mailhost.message.form import Form
from mailhost.message.newlines import CRLFSize
from mailhost.message.structure import Content as Octets
from mailhost.message.structure import Scanned, scan
from mailhost.message.surrogate import pieces, surrogate
from mailhost.queue.values import Acceptance
from mailhost.store.octets import PIECE_OCTETS, BlobStore, Incoming, mapped
from mailhost.store.values import Content, NewSurrogate


@dataclass(frozen=True, slots=True)
class Made:
    """A surrogate that rests, and has no row yet. `discard` undoes it; `release` tells that its transaction is over."""

    content: Content
    requires: Form
    """What the message requires, for which this stands in."""
    incoming: Incoming

    def row(self, id_: MessageId) -> NewSurrogate:
        """For a message that has no prefix."""
        return new_surrogate(id_, self.content, b"", self.requires)

    async def discard(self) -> None:
        await self.incoming.discard()

    async def release(self) -> None:
        await self.incoming.release()


def forms_in(acceptance: Acceptance) -> Form:
    """What may be in a message beyond plain mail, by what its client said in MAIL."""
    utf8 = Form.UTF8 if acceptance.smtputf8 else Form.PLAIN
    return utf8 | (Form.BINARY if acceptance.body == "BINARYMIME" else Form.PLAIN)


def new_surrogate(id_: MessageId, content: Content, prefix: bytes, requires: Form) -> NewSurrogate:
    size = len(prefix) + content.blob.size
    return NewSurrogate(
        id_, content.blob.id, content.structure, prefix, size, requires, content.crlf_size_after(prefix)
    )


async def surrogate_of(
    blobs: BlobStore, content: bytes | Path, structure: Scanned, look_for: Form, limits: Limits
) -> Made | None:
    """None when the message is plain mail as far as we look for. All of the work is done in the files' threads."""
    octets = content if isinstance(content, bytes) else await blobs.in_thread(lambda: mapped(content))
    plan = await blobs.in_thread(lambda: surrogate(octets, structure.parts, look_for, limits))
    if plan is None:
        return None
    incoming, crlf = blobs.incoming(), CRLFSize()
    rest = pieces(octets, plan)
    try:
        while some := await blobs.in_thread(lambda: _some(rest, crlf)):
            await incoming.write(some)
        blob, written = await incoming.finish()
        its = await blobs.in_thread(lambda: _scan(written, limits))
    except BaseException:
        await incoming.discard()
        raise
    return Made(Content(blob, its, crlf_size=crlf.end()), plan.requires, incoming)


def _some(rest: Iterator[bytes], crlf: CRLFSize) -> bytes:
    """As much as one call shall do; nothing at the end."""
    taken, octets = [], 0
    for piece in rest:
        taken.append(piece)
        crlf.take(piece)
        octets += len(piece)
        if octets >= PIECE_OCTETS:
            break
    return b"".join(taken)


def _scan(content: bytes | Path, limits: Limits) -> Scanned:
    octets: Octets = content if isinstance(content, bytes) else mapped(content)
    return scan(octets, limits)
