"""Acceptance: each recipient is one row of the ledger, and each mailbox gets one copy."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import AcceptRequest, accept
from mailhost.delivery.arrival import Arrival
from mailhost.delivery.directory import Directory
from mailhost.delivery.route import RecipientUnknown
from mailhost.delivery.waiting import AT_ONCE, WaitingDeliveries
from mailhost.events.event import Event, Events
from mailhost.ids import AccountId, JourneyId, MailboxId, Millis, fresh
from mailhost.message.budget import Limits
from mailhost.queue import entries
from mailhost.queue.tables import acceptance
from mailhost.queue.values import Acceptance, State
from mailhost.store import mailboxes, messages
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.store.tables import blob, mailbox
from mailhost.store.values import MailboxKey
from mailhost.users import accounts

from .building import MESSAGE, NOW, inbox, people, send, store_of


async def served(database: Database, name: str, folder: Path) -> list[bytes]:
    found = await inbox(database, name)
    key = MailboxKey(found.account, found.id)
    blobs = store_of(database, folder)
    uids = [uid for uid, _ in await database.read(messages.sizes, key)]
    return [await blobs.whole(located) for located in await database.read(messages.locate, key, uids)]


async def test_each_recipient_gets_a_copy_with_prefix_and_the_octets_as_sent(
    database: Database, tmp_path: Path
) -> None:
    await people(database, "alice", "bob")
    await send(database, store_of(database, tmp_path), "alice@example.org", "bob@example.org")
    for name in ("alice", "bob"):
        (whole,) = await served(database, name, tmp_path)
        prefix = f"Return-Path: <sender@example.net>\r\nDelivered-To: {name}@example.org\r\nReceived: here\r\n".encode()
        assert whole == prefix + MESSAGE


async def test_content_that_begins_with_a_space_does_not_extend_our_own_fields(
    database: Database, tmp_path: Path
) -> None:
    await people(database, "alice")
    await send(database, store_of(database, tmp_path), "alice@example.org", content=b" forged\r\n")
    (whole,) = await served(database, "alice", tmp_path)
    assert whole.endswith(b"Received: here\r\n\r\n forged\r\n")


async def test_two_recipients_that_lead_to_one_mailbox_make_one_copy_and_two_rows(
    database: Database, tmp_path: Path
) -> None:
    await people(database, "alice")
    accepted = await send(database, store_of(database, tmp_path), "alice@example.org", "alice+tag@example.org")
    assert [row.state for row in accepted.deliveries] == [State.STORED, State.STORED]
    assert (await inbox(database, "alice")).messages == 1


async def test_an_alias_is_a_row_of_its_own_and_its_targets_are_its_children(
    database: Database, tmp_path: Path
) -> None:
    await people(database, "alice", "bob")
    for target in ("alice@example.org", "bob@example.org", "carol@example.com"):
        await database.write(accounts.add_alias, "all", "example.org", target, NOW)
    accepted = await send(database, store_of(database, tmp_path), "all@example.org")
    parent, *children = accepted.deliveries
    assert parent.state is State.EXPANDED
    assert {row.parent for row in children} == {parent.id}
    assert [row.state for row in children] == [State.STORED, State.STORED, State.WAITING]
    assert await database.read(entries.states) == {State.EXPANDED: 1, State.STORED: 2, State.WAITING: 1}
    assert children[2].destination == "example.com"


async def test_an_address_that_nobody_has_is_refused(database: Database) -> None:
    await people(database, "alice")
    with pytest.raises(RecipientUnknown):
        await Directory(database).route("nobody", "example.org")


async def test_a_new_account_is_known_at_once(database: Database) -> None:
    await people(database, "alice")
    directory = Directory(database)
    with pytest.raises(RecipientUnknown):
        await directory.route("bob", "example.org")
    await people(database, "bob")
    assert (await directory.route("bob", "example.org")).is_local


async def test_the_first_account_of_a_domain_is_its_postmaster(database: Database, tmp_path: Path) -> None:
    await people(database, "alice", "bob")
    await send(database, store_of(database, tmp_path), "postmaster@example.org")
    assert (await inbox(database, "alice")).messages == 1


async def test_a_mailbox_that_is_gone_makes_its_row_wait_and_is_delivered_when_it_is_back(
    database: Database, tmp_path: Path
) -> None:
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    account = (await inbox(database, "alice")).account
    await database.write(without_inbox, account)
    accepted = await send(database, blobs, "alice@example.org")
    assert [row.state for row in accepted.deliveries] == [State.WAITING]
    waiting = WaitingDeliveries(database, blobs, Events(), clock=lambda: NOW)
    assert await waiting.deliver_due() == 0
    await database.write(with_inbox, account)
    later = WaitingDeliveries(database, blobs, Events(), clock=lambda: Millis(NOW + 3_600_000))
    assert await later.deliver_due() == 1
    assert await later.deliver_due() == 0
    (whole,) = await served(database, "alice", tmp_path)
    assert whole.endswith(b"Received: here\r\n" + MESSAGE)
    assert await database.read(entries.states) == {State.STORED: 1}


async def test_a_waiting_message_that_cannot_be_read_does_not_stop_the_others(
    database: Database, tmp_path: Path
) -> None:
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    account = (await inbox(database, "alice")).account
    await database.write(without_inbox, account)
    broken = await send(database, blobs, "alice@example.org", content=b"Subject: lost\r\n\r\n")
    await send(database, blobs, "alice@example.org")
    await database.write(with_inbox, account)
    await database.write(without_blob, broken.deliveries[0].journey)
    events, faults = Events(), list[Event]()
    events.subscribe(faults.append)
    waiting = WaitingDeliveries(database, blobs, events, clock=lambda: NOW)
    assert await waiting.deliver_due() == 1
    assert [event.kind for event in faults] == ["fault", "store.add"]
    assert await database.read(entries.states) == {State.STORED: 1, State.WAITING: 1}
    assert await waiting.deliver_due() == 0


async def test_more_than_are_looked_at_at_once_are_delivered_without_a_wait(database: Database, tmp_path: Path) -> None:
    await people(database, "alice", "bob")
    blobs = store_of(database, tmp_path)
    account = (await inbox(database, "alice")).account
    await database.write(without_inbox, account)
    await asyncio.gather(*(send(database, blobs, "alice@example.org") for _ in range(AT_ONCE + 2)))
    await database.write(with_inbox, account)
    events, stored, all_of_them = Events(), list[Event](), asyncio.Event()
    events.subscribe(stored.append)
    events.subscribe(lambda _: all_of_them.set() if len(stored) == AT_ONCE + 2 else None)
    task = asyncio.ensure_future(WaitingDeliveries(database, blobs, events, clock=lambda: NOW).run())
    await asyncio.wait_for(all_of_them.wait(), 20)
    task.cancel()
    assert await database.read(entries.states) == {State.STORED: AT_ONCE + 2}


async def test_many_acceptances_share_a_commit_and_no_uid(database: Database, tmp_path: Path) -> None:
    await people(database, "alice", "bob")
    blobs = store_of(database, tmp_path)

    all_of_them = await asyncio.gather(
        *(send(database, blobs, "alice@example.org", "bob@example.org") for _ in range(60))
    )
    for place in (0, 1):
        uids = sorted(accepted.deliveries[place].uid or 0 for accepted in all_of_them)
        assert uids == list(range(1, 61))
    found = await inbox(database, "bob")
    counted = await database.read(messages.count, MailboxKey(found.account, found.id))
    assert counted == (found.messages, found.unseen, found.octets)
    assert found.messages == 60


def without_blob(tx: Transaction, journey: JourneyId) -> None:
    """As a disk that lost it."""
    lost = select(acceptance.c.blob_id).where(acceptance.c.id == journey).scalar_subquery()
    tx.execute(delete(blob).where(blob.c.id == lost))


def without_inbox(tx: Transaction, account: AccountId) -> None:
    tx.execute(delete(mailbox).where(mailbox.c.account_id == account, mailbox.c.name == "INBOX"))


def with_inbox(tx: Transaction, account: AccountId) -> None:
    mailboxes.create(tx, account, MailboxId(fresh()), "INBOX", accounts.next_uid_validity(tx, account, NOW))


async def test_a_large_message_becomes_rows_where_there_are_no_files_and_its_file_goes(
    database: Database, tmp_path: Path
) -> None:
    await people(database, "alice")
    folder = tmp_path / "blobs"
    blobs = BlobStore(database, BlobSettings(folder, inline_octets=1000, files=False))
    content = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 50_000
    arrival = Arrival(blobs, lambda header: header, Limits(), 64 << 10)
    for start in range(0, len(content), 100_000):
        await arrival.write(content[start : start + 100_000])
    arrived = await arrival.finish()
    recipient = await Directory(database).route("alice", "example.org")
    acceptance = Acceptance(JourneyId(fresh()), NOW, "", "", None, "", arrived.blob.id, b"", arrived.blob.size)
    await database.write(accept, AcceptRequest(acceptance, arrived, (recipient,)))
    await arrival.release()
    assert not [path for path in folder.rglob("*") if path.is_file()]
    (whole,) = await served(database, "alice", tmp_path)
    assert whole.endswith(content)
