"""An account, its mailboxes, and messages to put in."""

import hashlib
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, insert, select

from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, BlobId, DomainId, MailboxId, MessageId, Millis, ModSeq, Uid, fresh
from mailhost.message.structure import Scanned
from mailhost.store import mailboxes, messages
from mailhost.store.messages import Append
from mailhost.store.tables import expunged_message, mailbox_message
from mailhost.store.values import (
    Codec,
    FlagAction,
    Flags,
    Mailbox,
    MailboxKey,
    NewMessage,
    Place,
    Placed,
    PreparedBlob,
    SystemFlag,
)
from mailhost.users import accounts
from mailhost.users.tables import domain

NOW = Millis(1_780_000_000_000)
SEEN, DELETED, FLAGGED = SystemFlag.SEEN, SystemFlag.DELETED, SystemFlag.FLAGGED
ADD, REMOVE, SET = FlagAction.ADD, FlagAction.REMOVE, FlagAction.SET


def add_account(tx: Transaction, name: str) -> AccountId:
    if not tx.execute(select(func.count()).select_from(domain)).scalar_one():
        tx.execute(insert(domain).values(id=DomainId(fresh()), name="example.org", created_at=NOW))
    account = AccountId(fresh())
    accounts.add_account(tx, account, name, "example.org", "hash", NOW)
    return account


def add_mailbox(tx: Transaction, account: AccountId, name: str) -> Mailbox:
    validity = accounts.next_uid_validity(tx, account, NOW)
    return mailboxes.create(tx, account, MailboxId(fresh()), name, validity)


async def account_with(database: Database, *names: str) -> tuple[AccountId, list[MailboxKey]]:
    account = await database.write(add_account, f"user{fresh()}")
    return account, [key_of(await database.write(add_mailbox, account, name)) for name in names]


def key_of(found: Mailbox) -> MailboxKey:
    return MailboxKey(found.account, found.id)


def structure(header_octets: int = 10) -> Scanned:
    return Scanned(header_octets, True, b"(env)", b"(body)", b"(structure)", b"(parts)", b"(headers)", None, b"<id@x>")


def blob(content: bytes = b"Subject: x\r\n\r\nbody\r\n", place: Place = Place.INLINE) -> PreparedBlob:
    data = None if place is Place.FILE else content
    digest = hashlib.sha256(content).digest()
    return PreparedBlob(BlobId(fresh()), digest, len(content), len(content), Codec.PLAIN, place, data)


def new(key: MailboxKey, size: int = 100, flags: int = 0, keywords: tuple[str, ...] = ()) -> Append:
    its = blob()
    return Append(
        NewMessage(key, MessageId(fresh()), its.id, structure(), b"Prefix: p\r\n", size, NOW, Flags(flags), keywords),
        its,
        NOW,
    )


async def fill(database: Database, key: MailboxKey, count: int, **how: Any) -> list[Uid]:
    placed: list[Placed] = [await database.write(messages.append, new(key, **how)) for _ in range(count)]
    return [each.uid for each in placed]


def fill_by_sql(tx: Transaction, key: MailboxKey, count: int) -> None:
    """Tens of thousands of messages of one octet that share a row of content, as a set of rows."""
    first = new(key, size=1).message
    tx.many(messages.INSERT_MESSAGE, [messages._message_row(first)])
    tx.many(
        messages.PLACE_MESSAGE,
        [(key.account, key.id, uid, first.message, 0, uid + 1, NOW) for uid in range(1, count + 1)],
    )
    mailboxes.move_counters(tx, [(key, mailboxes.Counters(count, count, count, count, count))])


@dataclass(frozen=True)
class Kept:
    """All that the tables say of one mailbox."""

    mailbox: Mailbox
    rows: dict[Uid, tuple[MessageId, Flags, ModSeq]]
    expunged: dict[Uid, ModSeq]


def kept(tx: Transaction, key: MailboxKey) -> Kept:
    def here(table: Any) -> Any:
        return select(table).where(table.c.account_id == key.account, table.c.mailbox_id == key.id)

    rows = tx.execute(here(mailbox_message)).all()
    gone = tx.execute(here(expunged_message)).all()
    return Kept(
        mailboxes.get(tx, key),
        {row.uid: (row.message_id, row.flags, row.mod_seq) for row in rows},
        {row.uid: row.mod_seq for row in gone},
    )


async def check(database: Database, key: MailboxKey) -> Kept:
    """The invariants of a mailbox: counters equal what is counted, and no number is beyond its bound."""
    found = await database.read(kept, key)
    box = found.mailbox
    assert (box.messages, box.unseen, box.octets) == await database.read(messages.count, key)
    assert not set(found.rows) & set(found.expunged)
    assert all(uid < box.uid_next for uid in (*found.rows, *found.expunged))
    assert all(mod_seq <= box.highest_mod_seq for _, _, mod_seq in found.rows.values())
    assert all(mod_seq <= box.highest_mod_seq for mod_seq in found.expunged.values())
    return found


def count_rows(tx: Transaction, *tables: Any) -> list[int]:
    return [int(tx.execute(select(func.count()).select_from(table)).scalar_one()) for table in tables]
