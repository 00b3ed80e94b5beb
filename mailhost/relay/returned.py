"""What comes back of a message with its notice: its header, or the whole of it (RFC 3461 section 4.3)."""

from mailhost.message.headers import field_value, fields
from mailhost.message.report import Returned
from mailhost.queue.values import Acceptance
from mailhost.store.octets import BlobStore

MOST_HEADER = 64 << 10
"""Octets of a header that come back; most have a tenth."""


async def returned(blobs: BlobStore, accepted: Acceptance, most_whole: int) -> Returned:
    """Whole where it has no more octets than `most_whole`."""
    most = max(most_whole, MOST_HEADER)
    content = b"".join([piece async for piece in blobs.blob_pieces(accepted.blob, 0, most + 1)])
    octets = accepted.prefix + (content if fields(content.partition(b"\n")[0]) else b"\r\n" + content)
    if len(content) <= most_whole:
        return Returned(octets, is_whole=True)
    return Returned(_header(octets))


def is_report(header: bytes) -> bool:
    """Whether the message tells of another one itself: nobody hears of its fate, or two servers would tell each other for ever."""
    kind = field_value(header, b"content-type") or b""
    return kind.lower().startswith(b"multipart/report")


def _header(octets: bytes) -> bytes:
    """As far as whole lines go."""
    end = octets.find(b"\r\n\r\n", 0, MOST_HEADER)
    if end < 0:
        end = max(octets.rfind(b"\r\n", 0, MOST_HEADER), 0)
    return octets[: end + 2]
