"""Mail from this server itself, by the way that every message takes."""

from mailhost.database.database import Database
from mailhost.delivery.accept import AcceptRequest, accept
from mailhost.delivery.arrival import Arrival
from mailhost.delivery.directory import Directory
from mailhost.delivery.header_filter import submitted
from mailhost.ids import JourneyId, fresh, now
from mailhost.message.address import Address
from mailhost.message.budget import Limits
from mailhost.queue.values import Acceptance
from mailhost.store.octets import BlobStore

LARGEST_HEADER = 64 << 10
HEADER = """\
From: mailhost <postmaster@{domain}>\r
To: <{address}>\r
Subject: {subject}\r
MIME-Version: 1.0\r
Content-Type: text/plain; charset=utf-8\r
\r
"""


async def deliver_notice(database: Database, blobs: BlobStore, host: str, to: Address, subject: str, text: str) -> None:
    """A message from the postmaster, with the null reverse-path: nobody answers it (RFC 5321 section 6.1)."""
    journey, at = JourneyId(fresh()), now()
    header = HEADER.format(domain=to.domain, address=to.text(), subject=subject)
    is_utf8 = not header.isascii()
    arrival = Arrival(
        blobs, lambda header: submitted(header, host, journey, at), Limits(), LARGEST_HEADER, smtputf8=is_utf8
    )
    await arrival.write(header.encode() + text.replace("\n", "\r\n").encode())
    content = await arrival.finish()
    recipient = await Directory(database).route(to.local, to.domain)
    acceptance = Acceptance(
        journey, at, "", "", None, "", content.blob.id, b"", content.blob.size, smtputf8=is_utf8, subject=subject
    )
    await database.write(accept, AcceptRequest(acceptance, content, (recipient,)))
