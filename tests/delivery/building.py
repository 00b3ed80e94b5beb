"""Accounts to deliver to, and messages to accept."""

from mailhost.administration.accounts import create
from mailhost.database.database import Database
from mailhost.delivery.accept import Accepted, AcceptRequest, accept
from mailhost.delivery.directory import Directory
from mailhost.ids import JourneyId, Millis, fresh
from mailhost.message.address import Address
from mailhost.message.structure import scan
from mailhost.queue.values import Acceptance
from mailhost.store import mailboxes
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.store.values import Content, Mailbox
from mailhost.users import accounts

NOW = Millis(1_780_000_000_000)
MESSAGE = b"Subject: hello\r\n\r\nbody\r\n"


async def people(database: Database, *names: str, domain: str = "example.org") -> None:
    for name in names:
        await database.write(create, Address(name, domain), "hash", NOW)


async def send(database: Database, blobs: BlobStore, *recipients: str, content: bytes = MESSAGE) -> Accepted:
    directory = Directory(database)
    routed = [await directory.route(*each.rsplit("@", 1)) for each in recipients]
    blob = blobs.inline(content)
    acceptance = Acceptance(
        JourneyId(fresh()), NOW, "192.0.2.1", "client", None, "sender@example.net", blob.id, b"Received: here\r\n", 1
    )
    return await database.write(accept, AcceptRequest(acceptance, Content(blob, scan(content)), tuple(routed)))


async def inbox(database: Database, name: str) -> Mailbox:
    account = await database.read(accounts.find, name, "example.org")
    return await database.read(mailboxes.find, account.id, "INBOX")


def store_of(database: Database, folder: object) -> BlobStore:
    return BlobStore(database, BlobSettings(folder))  # type: ignore[arg-type]
