"""The audit finds nothing in a healthy store, and each rule that SQL behind its back has broken, by name."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from sqlalchemy import text

from mailhost.administration.accounts import create
from mailhost.administration.audit import audit
from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import AcceptRequest, accept
from mailhost.delivery.arrival import Arrival
from mailhost.delivery.route import recipient, resolve
from mailhost.ids import JourneyId, Uid, fresh, now
from mailhost.message.address import Address
from mailhost.message.budget import Limits
from mailhost.message.summary import message_id_of, subject_of
from mailhost.queue.values import Acceptance
from mailhost.store import mailboxes, messages
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.store.values import Mailbox, MailboxKey
from mailhost.users import accounts
from tests.engines import Place

SMALL = b"Subject: small\r\nMessage-ID: <0@b.example>\r\n\r\n" + b"Hello\r\n" * 50
LARGE = b"Subject: large\r\nMessage-ID: <1@b.example>\r\n\r\n" + b"0123456789" * 20_000 + b"\r\n"


@asynccontextmanager
async def office(database: Database, place: Place) -> AsyncIterator[BlobStore]:
    """Alice and Bob, each with a small and a large message; Carol, whose message is expunged; one message waits for relay."""
    folder = place.folder / "blobs"
    folder.mkdir()
    octets = BlobStore(database, BlobSettings(folder, files=place.is_sqlite))
    for name in ("alice", "bob", "carol"):
        await database.write(create, Address(name, "example.org"), "hash", now())
    for name in ("alice", "bob"):
        await database.write(accounts.add_alias, "both", "example.org", f"{name}@example.org", now())
    await send(database, octets, SMALL, "both@example.org")
    await send(database, octets, LARGE, "alice@example.org", "bob@example.org", "carol@example.org")
    await send(database, octets, SMALL, "somebody@elsewhere.example")
    gone = await inbox(database, "carol")
    await database.write(messages.expunge, MailboxKey(gone.account, gone.id), [Uid(1)], now())
    try:
        yield octets
    finally:
        octets.close()


async def send(
    database: Database,
    octets: BlobStore,
    content: bytes,
    *addresses: str,
    reverse_path: str = "a@b.example",
    smtputf8: bool = False,
    binary: bool = False,
) -> None:
    arrival = Arrival(octets, lambda header: header, Limits(), 1 << 20, smtputf8=smtputf8, binary=binary)
    await arrival.write(content)
    accepted = await arrival.finish()
    acceptance = Acceptance(
        JourneyId(fresh()),
        now(),
        "192.0.2.1",
        "client",
        None,
        reverse_path,
        accepted.blob.id,
        b"Received: x\r\n",
        1,
        subject=subject_of(accepted.structure.header_cache),
        message_id=message_id_of(accepted.structure.message_id),
    )
    recipients = []
    for address in addresses:
        local_part, _, domain = address.partition("@")
        places, expanded = await database.read(resolve, local_part, domain)
        recipients.append(recipient(address, places, expanded=expanded))
    await database.write(accept, AcceptRequest(acceptance, accepted, tuple(recipients)))


async def inbox(database: Database, user: str) -> Mailbox:
    account = await database.read(accounts.find, user, "example.org")
    return await database.read(mailboxes.find, account.id, "INBOX")


def run_sql(tx: Transaction, sql: str) -> None:
    assert tx.execute(text(sql)).rowcount, f"nothing was broken by {sql}"


async def test_nothing_is_found_where_nothing_is_wrong(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        assert await audit(database, octets) == []


WAITING, STORED, EXPANDED = 0, 1, 3
ALSO_EXPUNGED = (
    "INSERT INTO expunged_message (account_id, mailbox_id, uid, message_id, mod_seq, at)"
    " SELECT account_id, mailbox_id, uid, message_id, 2, 0 FROM mailbox_message"
)
WAITED_FOR = (
    "DELETE FROM blob WHERE id IN (SELECT blob_id FROM acceptance"
    f" JOIN delivery ON acceptance_id = acceptance.id WHERE state = {WAITING})"
)
WITH_MAIL = "(SELECT min(mailbox_id) FROM mailbox_message)"
LARGE_BLOB = "(SELECT id FROM blob WHERE size > 100000)"
BREAKAGES = [
    ("UPDATE mailbox SET messages = messages + 1 WHERE name = 'Sent'", "counters", "says 1 messages, and has 0"),
    (f"UPDATE mailbox SET unseen = 0 WHERE id = {WITH_MAIL}", "counters", "says 0 unseen, and has 2"),
    (f"UPDATE mailbox SET octets = 7 WHERE id = {WITH_MAIL}", "counters", "says 7 octets, and has"),
    (f"UPDATE mailbox SET uid_next = 2 WHERE id = {WITH_MAIL}", "uids", "UID 2 of mailbox"),
    ("UPDATE mailbox SET recent_uid = 99 WHERE name = 'Sent'", "uids", "recent UIDs from 99 on"),
    (ALSO_EXPUNGED, "uids", "was expunged, and is in the mailbox"),
    ("UPDATE expunged_message SET uid = 50", "uids", "UID 50"),
    ("UPDATE mailbox_message SET mod_seq = 1000", "mod-sequences", "has mod-sequence 1000, its mailbox 3"),
    ("UPDATE expunged_message SET mod_seq = 1000", "mod-sequences", "has mod-sequence 1000"),
    (f"DELETE FROM mailbox WHERE id = {WITH_MAIL}", "wholeness", "is in no mailbox that exists"),
    (
        f"DELETE FROM message WHERE id IN (SELECT message_id FROM mailbox_message WHERE mailbox_id = {WITH_MAIL})",
        "wholeness",
        "is in the mailbox, and its message",
    ),
    (
        "DELETE FROM message WHERE id IN (SELECT message_id FROM expunged_message)",
        "wholeness",
        "was expunged, and its message",
    ),
    ("DELETE FROM expunged_message", "wholeness", "is in no mailbox and was never expunged"),
    (f"DELETE FROM blob WHERE id = {LARGE_BLOB}", "wholeness", "has lost its octets"),
    ("UPDATE message SET size = size + 1", "wholeness", "octets, prefix and blob have"),
    ("DELETE FROM delivery WHERE destination <> ''", "ledger", "has no recipient"),
    ("DELETE FROM acceptance", "ledger", "belongs to no accepted message"),
    ("UPDATE delivery SET state = 42 WHERE state = 0", "ledger", "is in no state that there is: 42"),
    (f"UPDATE delivery SET next_try = NULL WHERE state = {WAITING}", "ledger", "will never be tried"),
    (f"UPDATE delivery SET finished_at = NULL WHERE state = {STORED}", "ledger", "was never finished"),
    (f"UPDATE delivery SET uid = NULL WHERE state = {STORED}", "ledger", "nothing says where"),
    ("DELETE FROM delivery WHERE parent_id IS NOT NULL", "ledger", "into nobody"),
    (f"UPDATE delivery SET state = 4 WHERE state = {EXPANDED}", "ledger", "comes from no row that was expanded"),
    (f"UPDATE delivery SET uid = 77 WHERE state = {STORED}", "ledger", "UID 77"),
    (
        f"UPDATE delivery SET uid = 1 WHERE state = {STORED} AND uid = 2",
        "ledger",
        "another message than the one accepted for",
    ),
    (f"UPDATE delivery SET next_try = 1 WHERE state = {STORED}", "ledger", "is to be tried again"),
    (f"UPDATE delivery SET leased_until = 1 WHERE state = {WAITING}", "ledger", "leased by nobody"),
    (f"UPDATE delivery SET leased_by = 'node 1' WHERE state = {WAITING}", "ledger", "or for no time"),
    (f"UPDATE delivery SET leased_by = 'node 1', leased_until = 1 WHERE state = {STORED}", "ledger", "leased still"),
    (
        "UPDATE delivery SET destination = 'other.example' WHERE destination <> ''",
        "ledger",
        "is to go to other.example",
    ),
    (f"UPDATE delivery SET destination = '' WHERE state = {WAITING}", "ledger", "without a destination"),
    ("UPDATE delivery SET state = 42 WHERE state = 0", "ledger", "and all states together"),
    (f"UPDATE delivery SET state = {EXPANDED}, parent_id = id WHERE state = {WAITING}", "ledger", "comes from itself"),
    (WAITED_FOR, "ledger", "is waited for, and missing"),
    (f"UPDATE blob SET size = size + 1 WHERE id = {LARGE_BLOB}", "blobs", "blob"),
    ("UPDATE blob SET sha256 = (SELECT sha256 FROM blob ORDER BY id LIMIT 1)", "blobs", "its SHA-256 differs"),
    ("UPDATE blob SET data = substr(data, 3) WHERE data IS NOT NULL", "blobs", "cannot be read"),
]


@pytest.mark.parametrize(("sql", "check", "words"), BREAKAGES, ids=[sql for sql, _, _ in BREAKAGES])
async def test_each_broken_rule_is_found(database: Database, place: Place, sql: str, check: str, words: str) -> None:
    async with office(database, place) as octets:
        await database.write(run_sql, sql)
        found = await audit(database, octets)
        assert [each for each in found if each.check == check and words in each.text], found


ORIGINAL, SURROGATE = "requires <> 0", "id IN (SELECT surrogate_id FROM message)"
IN_MAILBOX = "UPDATE mailbox_message SET message_id = (SELECT surrogate_id FROM message WHERE requires = 1)"
BROKEN_SURROGATES = [
    (f"UPDATE message SET requires = 0 WHERE {ORIGINAL}", "surrogates", "requires more than plain mail or"),
    (f"UPDATE message SET surrogate_id = NULL WHERE {ORIGINAL}", "surrogates", "requires more than plain mail or"),
    (f"UPDATE message SET surrogate_id = NULL WHERE {ORIGINAL}", "wholeness", "is in no mailbox and was never"),
    (f"DELETE FROM message WHERE {SURROGATE}", "surrogates", "has lost its surrogate"),
    (f"UPDATE message SET surrogate_size = 1 WHERE {ORIGINAL}", "surrogates", "says another size"),
    (f"UPDATE message SET surrogate_size = 9999 WHERE {ORIGINAL}", "counters", "octets, and has"),
    (f"UPDATE message SET requires = 1 WHERE {SURROGATE}", "surrogates", "needs one itself"),
    (f"{IN_MAILBOX} WHERE uid = 3", "surrogates", "is in a mailbox itself"),
    (f"UPDATE message SET envelope = body WHERE {SURROGATE}", "surrogates", "is not what its row says: envelope"),
    (f"UPDATE message SET parts = body WHERE {SURROGATE}", "surrogates", "is not what its row says: parts"),
    (f"UPDATE message SET size = size - 1 WHERE {SURROGATE}", "wholeness", "octets, prefix and blob have"),
    (
        f"UPDATE message SET prefix = (SELECT prefix FROM message WHERE requires = 1) WHERE {SURROGATE}",
        "surrogates",
        "has a prefix",
    ),
    (
        (
            "UPDATE message SET blob_id = (SELECT blob_id FROM message AS other WHERE other.requires = 3)"
            " WHERE id IN (SELECT surrogate_id FROM message WHERE requires = 3)"
        ),
        "surrogates",
        "has NUL in it",
    ),
    (
        (
            "UPDATE message SET blob_id = (SELECT min(blob_id) FROM message AS other WHERE other.requires <> 0)"
            " WHERE id IN (SELECT surrogate_id FROM message WHERE requires = 3)"
        ),
        "surrogates",
        "has headers that are not ASCII",
    ),
]


@asynccontextmanager
async def with_surrogates(database: Database, place: Place) -> AsyncIterator[BlobStore]:
    """Carol has a message in UTF-8, from an address in UTF-8, and one that is binary as well."""
    async with office(database, place) as octets:
        utf8 = "Subject: 会议\r\n\r\nx\r\n".encode()
        await send(database, octets, utf8, "carol@example.org", smtputf8=True, reverse_path="李@b.example")
        binary = "Subject: 图\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n".encode()
        await send(database, octets, binary, "carol@example.org", smtputf8=True, binary=True)
        yield octets


async def test_nothing_is_found_where_surrogates_are_whole(database: Database, place: Place) -> None:
    async with with_surrogates(database, place) as octets:
        assert await audit(database, octets) == []


@pytest.mark.parametrize(("sql", "check", "words"), BROKEN_SURROGATES, ids=[sql for sql, _, _ in BROKEN_SURROGATES])
async def test_each_broken_surrogate_is_found(
    database: Database, place: Place, sql: str, check: str, words: str
) -> None:
    async with with_surrogates(database, place) as octets:
        await database.write(run_sql, sql)
        found = await audit(database, octets)
        assert [each for each in found if each.check == check and words in each.text], found


async def test_octets_that_are_gone_are_found(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        await lose_some(database, octets, place)
        (found,) = await audit(database, octets)
        assert found.check == "blobs"
        assert "cannot be read" in found.text or "its row says" in found.text


async def lose_some(database: Database, octets: BlobStore, place: Place) -> None:
    """A file on SQLite, a row on PostgreSQL."""
    if place.is_sqlite:
        (file,) = [path for path in octets.settings.folder.rglob("*") if path.is_file()]
        file.write_bytes(file.read_bytes()[:100_000])
    else:
        await database.write(run_sql, "DELETE FROM blob_chunk")


async def test_a_blob_that_the_sweeper_took_meanwhile_is_no_finding(
    database: Database, place: Place, monkeypatch: Any
) -> None:
    async with office(database, place) as octets:
        sound = octets.blob_pieces

        async def swept(id_: Any, start: int, end: int) -> AsyncIterator[bytes]:
            await database.write(run_sql, f"DELETE FROM blob WHERE id = {id_}")
            async for piece in sound(id_, start, end):
                yield piece

        monkeypatch.setattr(octets, "blob_pieces", swept)
        assert [each for each in await audit(database, octets) if each.check == "blobs"] == []
