"""The local delivery agent: a message that a program on this machine hands over, by the way that every message takes."""

import codecs
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from mailhost.database.database import Database
from mailhost.database.errors import Refused
from mailhost.delivery.accept import Accepted, AcceptRequest, accept
from mailhost.delivery.arrival import Arrival, HeaderTooLarge
from mailhost.delivery.directory import Directory
from mailhost.delivery.header_filter import received, submitted
from mailhost.delivery.route import Recipient, RecipientUnknown
from mailhost.ids import JourneyId, fresh, now, text_of
from mailhost.message.address import Address, readable
from mailhost.message.budget import Limits
from mailhost.message.newlines import CRLF
from mailhost.message.received import handed_over_field, received_count
from mailhost.message.summary import message_id_of, subject_of
from mailhost.queue.values import Acceptance
from mailhost.store.octets import BlobStore
from mailhost.store.values import Content

PIECE = 256 << 10
LONGEST_HEAD = 64 << 10
"""Octets in which we look for the end of the header, to know whether it is in UTF-8."""

_MBOX_LINE = re.compile(rb"From [^\n]*\n")
_OLD_FROM_FIELD = re.compile(rb"From[ \t]+:")
"""A field all the same (RFC 5322 section 4.5.2)."""
_HEADER_END = re.compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a message may be; the same as for one that comes by SMTP."""

    message_octets: int = 50 << 20
    header_octets: int = 1 << 20
    most_hops: int = 100
    scan: Limits = field(default_factory=Limits)


@dataclass(frozen=True, slots=True)
class Handed:
    """Who hands a message over, and for whom."""

    sender: Address | None
    """The reverse-path; None is the null one: nobody hears when it cannot be delivered."""
    recipients: tuple[Address, ...]
    uid: int
    """The user that the program runs as: it stands in Received."""


class MessageRefused(Refused):
    """Nothing that a message may be; the text says why."""


async def deliver(
    database: Database, octets: BlobStore, host: str, handed: Handed, read: Callable[[int], bytes], bounds: Bounds
) -> Accepted:
    """To all recipients or to none; committed when it answers. `read` gives the octets, and nothing at their end.

    Raises `RecipientUnknown` with the addresses, `MessageRefused`, `CommitFailed`.
    """
    routes = await _routes(database, handed.recipients)
    source = _octets(read)
    head = next(source, b"")
    delivery = _Delivery(octets, host, handed, bounds, smtputf8=_is_utf8(head) or not _is_plain(handed))
    arrival = delivery.arrival
    try:
        content = await delivery.take(head, source)
    except BaseException:
        await arrival.discard()
        raise
    try:
        return await database.write(accept, AcceptRequest(delivery.acceptance(content), content, tuple(routes)))
    finally:
        await arrival.release()


async def _routes(database: Database, recipients: Sequence[Address]) -> list[Recipient]:
    directory, routes, unknown = Directory(database), [], []
    for each in dict.fromkeys(recipients):
        try:
            found = await directory.route(each.local, each.domain)
        except RecipientUnknown:
            found = None
        if found is None or not found.is_local:  # an alias may lead elsewhere; a domain that is not ours is misspelt
            unknown.append(readable(each.text()))
        else:
            routes.append(found)
    if unknown:
        raise RecipientUnknown(", ".join(unknown))
    return routes


class _Delivery:
    """One message between its first octet and its commit."""

    def __init__(self, octets: BlobStore, host: str, handed: Handed, bounds: Bounds, *, smtputf8: bool) -> None:
        self._host, self._handed, self._bounds, self._smtputf8 = host, handed, bounds, smtputf8
        self._journey, self._at = JourneyId(fresh()), now()
        self._hops = 0
        self._is_ascii = True
        self.arrival = Arrival(octets, self._filter, bounds.scan, bounds.header_octets, smtputf8=smtputf8)

    async def take(self, head: bytes, rest: Iterator[bytes]) -> Content:
        """Lines may end as they do on this machine; in mail they end with CRLF. Raises `MessageRefused`."""
        crlf = CRLF()
        await self._keep(crlf.take(head))
        for piece in rest:
            await self._keep(crlf.take(piece))
        await self._keep(crlf.end())
        if not self.arrival.size:
            raise MessageRefused("there is no message on standard input")
        content = await self.arrival.finish()
        if self._hops > self._bounds.most_hops:
            raise MessageRefused(f"the message has passed more than {self._bounds.most_hops} hosts: it is in a loop")
        return content

    def acceptance(self, content: Content) -> Acceptance:
        sender, recipients = self._handed.sender, self._handed.recipients
        only = recipients[0] if len(recipients) == 1 else None
        prefix = handed_over_field(self._host, self._handed.uid, text_of(self._journey), self._at, only)
        return Acceptance(
            journey=self._journey,
            at=self._at,
            peer="",
            helo="",
            login=None,
            reverse_path=f"{sender.local}@{sender.domain}" if sender else "",
            blob=content.blob.id,
            prefix=prefix,
            size=len(prefix) + content.blob.size,
            body="7BIT" if self._is_ascii else "8BITMIME",
            smtputf8=self._smtputf8,
            subject=subject_of(content.structure.header_cache),
            message_id=message_id_of(content.structure.message_id),
        )

    async def _keep(self, data: bytes) -> None:
        if b"\0" in data:
            raise MessageRefused("the message has NUL in it, which no message may")
        self._is_ascii = self._is_ascii and data.isascii()
        if self.arrival.size + len(data) > self._bounds.message_octets:
            raise MessageRefused(f"the message is larger than {self._bounds.message_octets:,} octets")
        try:
            await self.arrival.write(data)
        except HeaderTooLarge:
            raise MessageRefused(f"the header is larger than {self._bounds.header_octets:,} octets") from None

    def _filter(self, header: bytes) -> bytes:
        """What has passed no host yet begins here, and gets what it lacks (RFC 5321 section 6.4)."""
        self._hops = received_count(header)
        if self._hops:
            return received(header, self._host)
        return submitted(header, self._host, self._journey, self._at)


def _octets(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """First the head, without the line that mbox files begin with; then the rest, in pieces."""
    head = b""
    while len(head) < LONGEST_HEAD and not _HEADER_END.search(head):
        piece = read(PIECE)
        if not piece:
            break
        head += piece
    line = _MBOX_LINE.match(head)
    if line and not _OLD_FROM_FIELD.match(head):
        head = head[line.end() :]
    yield head
    while piece := read(PIECE):
        yield piece


def _is_utf8(head: bytes) -> bool:
    """Whether the header is in UTF-8 and needs it (RFC 6532); other 8-bit is kept as it came."""
    end = _HEADER_END.search(head)
    header = head[: end.end()] if end else head
    try:
        return not codecs.getincrementaldecoder("utf-8")().decode(header).isascii()
    except UnicodeDecodeError:
        return False


def _is_plain(handed: Handed) -> bool:
    every = [*handed.recipients, *([handed.sender] if handed.sender else [])]
    return all(each.local.isascii() for each in every)
