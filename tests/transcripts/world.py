"""A small server without sockets: a data folder of its own, a migrated database, example.org with alice and bob.

Migrating takes longer than most tests, so it happens once; every world begins with a copy of that folder.
"""

import asyncio
import contextlib
import shutil
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import fields
from datetime import timedelta
from pathlib import Path
from typing import Any

from mailhost.conversation.presence import Presence
from mailhost.conversation.services import Limits, Services
from mailhost.database.database import Database
from mailhost.database.hints import Hints
from mailhost.database.migrate import migrate_sqlite
from mailhost.database.sqlite import SQLiteEngine
from mailhost.database.transaction import Transaction
from mailhost.delivery.directory import Directory
from mailhost.delivery.surrogate import surrogate_of
from mailhost.events.event import Events
from mailhost.ids import AccountId, DomainId, MailboxId, MessageId, Millis, Uid, fresh, now
from mailhost.message.budget import Limits as ScanLimits
from mailhost.message.form import Form
from mailhost.message.structure import Scanned, scan
from mailhost.store import mailboxes, messages
from mailhost.store.index import Indexes
from mailhost.store.mailboxes import FIRST_MAILBOXES
from mailhost.store.messages import Append
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.store.values import Flags, Mailbox, MailboxKey, NewMessage, Placed, SpecialUse
from mailhost.users import accounts, domains
from mailhost.users.passwords import Cost, Logins, LoginSettings

DOMAIN = "example.org"
USERS = ("alice", "bob")
PASSWORD = "secret"
CHEAP = LoginSettings(cost=Cost(time=1, memory_kib=8))
HOST = "mail.example.org"


class World:
    """All that a session leans on, and what a test does behind its back."""

    def __init__(self, folder: Path, services: Services) -> None:
        self.folder = folder
        self.services = services

    async def account(self, user: str = "alice") -> AccountId:
        return (await self.services.database.read(accounts.find, user, DOMAIN)).id

    async def mailbox(self, name: str, user: str = "alice") -> Mailbox:
        return await self.services.database.read(mailboxes.find, await self.account(user), name)

    async def make(self, name: str, user: str = "alice") -> None:
        """A mailbox of this name, unless there is one."""
        account = await self.account(user)
        known = await self.services.database.read(mailboxes.list_all, account)
        if name not in [each.name for each in known]:
            await self.services.database.write(_create, account, MailboxId(fresh()), name, now(), None)

    async def alias(self, name: str, target: str) -> None:
        """Another name for an address; of several a group is made."""
        local, _, domain = name.partition("@")
        await self.services.database.write(accounts.add_alias, local, domain, target, now())

    async def deliver(
        self,
        content: bytes,
        name: str = "INBOX",
        user: str = "alice",
        *,
        prefix: bytes = b"",
        flags: int = 0,
        keywords: tuple[str, ...] = (),
        at: Millis | None = None,
        may_hold: Form = Form.PLAIN,
    ) -> Placed:
        """Put a message into a mailbox, as delivery does; with a surrogate where it holds what not every client takes."""
        found = await self.mailbox(name, user)
        incoming = self.services.blobs.incoming()
        await incoming.write(content)
        blob, kept = await incoming.finish()
        scanned = structure_of(content)
        other = may_hold and await surrogate_of(self.services.blobs, kept, scanned, may_hold, ScanLimits())
        new = NewMessage(
            MailboxKey(found.account, found.id),
            MessageId(fresh()),
            blob.id,
            scanned,
            prefix,
            len(prefix) + len(content),
            at or now(),
            Flags(flags),
            keywords,
            surrogate=other.row(MessageId(fresh())) if other else None,
        )
        octets = other.content.blob if other else None
        return await self.services.database.write(messages.append, Append(new, blob, now(), octets))

    async def expunge(self, uids: Sequence[int], name: str = "INBOX", user: str = "alice") -> None:
        found = await self.mailbox(name, user)
        await self.services.database.write(
            messages.expunge, MailboxKey(found.account, found.id), [Uid(uid) for uid in uids], now(), Flags(0)
        )


def structure_of(content: bytes) -> Scanned:
    return scan(content)


def sample_message(number: int) -> bytes:
    """Messages that `given INBOX with 3 messages` means."""
    return (
        f"From: Sender {number} <sender{number}@example.net>\r\n"
        f"To: alice@{DOMAIN}\r\n"
        f"Subject: Message {number}\r\n"
        f"Date: Sat, 21 Nov 2026 10:00:{number % 60:02} +0000\r\n"
        f"Message-ID: <{number}@example.net>\r\n"
        "\r\n"
        f"This is message {number}.\r\n"
    ).encode()


@contextlib.asynccontextmanager
async def world(
    folder: Path,
    *,
    template: Path | None = None,
    allow_plaintext: bool = False,
    limits: Limits | None = None,
    **settings: Any,
) -> AsyncIterator[World]:
    """A server's inside, in `folder`; `template` is what `prepare` made before. `settings` are further fields of Services."""
    if template is None:
        prepare(folder)
    else:
        shutil.copytree(template, folder, dirs_exist_ok=True)
    services = _services(folder, allow_plaintext=allow_plaintext, limits=limits or Limits(), **settings)
    try:
        yield World(folder, services)
    finally:
        await services.database.close()
        services.blobs.close()
        services.logins.close()


def prepare(folder: Path) -> None:
    """Migrate, and make the domain and its accounts."""
    folder.mkdir(exist_ok=True)
    migrate_sqlite(folder / "mail.db")
    asyncio.run(_fill(folder)) if not _in_loop() else _fill_in_thread(folder)


def _in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _fill_in_thread(folder: Path) -> None:
    thread = threading.Thread(target=lambda: asyncio.run(_fill(folder)))
    thread.start()
    thread.join()


async def _fill(folder: Path) -> None:
    database = Database(SQLiteEngine(folder / "mail.db"))
    logins = Logins(database, CHEAP)
    secret = await logins.hasher.hash(PASSWORD)
    await database.write(domains.add, DomainId(fresh()), DOMAIN, now())
    for user in USERS:
        account = AccountId(fresh())
        await database.write(accounts.add_account, account, user, DOMAIN, secret, now())
        for name, use in FIRST_MAILBOXES:
            await database.write(_create, account, MailboxId(fresh()), name, now(), use)
    await database.close()
    logins.close()


def _create(tx: Transaction, account: AccountId, id_: MailboxId, name: str, at: Millis, use: SpecialUse | None) -> None:
    validity = accounts.next_uid_validity(tx, account, at)
    mailboxes.create(tx, account, id_, name, validity, use)


def _services(folder: Path, *, allow_plaintext: bool, limits: Limits, **settings: Any) -> Services:
    blobs = folder / "blobs"
    blobs.mkdir(exist_ok=True)
    database = Database(SQLiteEngine(folder / "mail.db"))
    settings.setdefault("directory", Directory(database))
    known = {each.name for each in fields(Services)}
    if "locks" in known and "locks" not in settings:
        (folder / "locks").mkdir(exist_ok=True)
        settings["locks"] = folder / "locks"
    hints = Hints()
    return Services(
        host=HOST,
        database=database,
        blobs=BlobStore(database, BlobSettings(blobs)),
        hints=hints,
        presence=Presence(database, hints),
        indexes=Indexes(database),
        logins=Logins(database, CHEAP),
        events=Events(),
        limits=limits,
        allow_plaintext=allow_plaintext,
        failure_delay=timedelta(0),
        **settings,
    )
