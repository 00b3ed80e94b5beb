"""Acceptance of what not every client can take: it rests as it came, beside a form that everybody can."""

import asyncio
import email
import email.policy
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from mailhost.administration.audit import audit
from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import Accepted, AcceptRequest, accept
from mailhost.delivery.arrival import Arrival
from mailhost.delivery.directory import Directory
from mailhost.delivery.surrogate import forms_in, surrogate_of
from mailhost.delivery.waiting import WaitingDeliveries
from mailhost.events.event import Events
from mailhost.ids import JourneyId, MessageId, Uid, fresh
from mailhost.message.budget import Limits
from mailhost.message.form import Form
from mailhost.message.structure import scan
from mailhost.queue.values import Acceptance, State
from mailhost.store import messages
from mailhost.store.messages import Append
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.store.tables import blob, message
from mailhost.store.values import Content, Flags, MailboxKey, NewMessage, Place

from .building import NOW, inbox, people, store_of
from .test_accept import with_inbox, without_inbox

UTF8 = "From: 张 <zhang@例子.example>\r\nTo: alice@example.org\r\nSubject: 会议\r\n\r\n明天\r\n".encode()
ASCII = (
    b"From: =?UTF-8?B?5byg?= <zhang@xn--fsqu00a.example>\r\nTo: alice@example.org\r\n"
    b"Subject: =?UTF-8?B?5Lya6K6u?=\r\n\r\n\xe6\x98\x8e\xe5\xa4\xa9\r\n"
)
BINARY = b"MIME-Version: 1.0\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\xff\n"


def arrival(blobs: BlobStore, **how: bool) -> Arrival:
    return Arrival(blobs, lambda header: header, Limits(), 64 << 10, **how)


async def arrived(one: Arrival, content: bytes) -> Content:
    for at in range(0, len(content), 100_000):
        await one.write(content[at : at + 100_000])
    return await one.finish()


async def send(
    database: Database,
    blobs: BlobStore,
    content: bytes,
    *addresses: str,
    reverse_path: str = "sender@example.net",
    smtputf8: bool = False,
    binary: bool = False,
) -> Accepted:
    one = arrival(blobs, smtputf8=smtputf8, binary=binary)
    its = await arrived(one, content)
    acceptance = Acceptance(
        JourneyId(fresh()), NOW, "", "", None, reverse_path, its.blob.id, b"", its.blob.size,
        "BINARYMIME" if binary else "8BITMIME", smtputf8,
    )  # fmt: skip
    directory = Directory(database)
    recipients = tuple([await directory.route(*each.rsplit("@", 1)) for each in addresses])
    accepted = await database.write(accept, AcceptRequest(acceptance, its, recipients))
    await one.release()
    return accepted


async def served(database: Database, blobs: BlobStore, name: str, takes: Form) -> bytes:
    """The newest message, as it is served; all that is told of it must agree."""
    found = await inbox(database, name)
    key, uid = MailboxKey(found.account, found.id), Uid(found.uid_next - 1)
    (located,) = await database.read(messages.locate, key, [uid], takes)
    whole = await blobs.whole(located)
    (told,) = await database.read(messages.serve, key, [uid], takes)
    assert len(whole) == located.size == told.size
    listed = dict(await database.read(messages.sizes, key, takes))[uid]
    if takes is not Form.UTF8 | Form.BINARY:
        assert listed == len(whole) + (0 if whole.endswith(b"\r\n") else 2)
    content = whole.removeprefix(located.prefix)
    assert scan(content).envelope == told.envelope
    return whole


async def rows(database: Database, *columns: Any) -> list[Any]:
    def read(tx: Transaction) -> list[Any]:
        return list(tx.execute(select(*columns)))

    return await database.read(read)


async def test_mail_in_utf8_is_there_in_both_forms(database: Database, tmp_path: Path) -> None:
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    await send(database, blobs, UTF8, "alice@example.org", smtputf8=True)
    prefix = b"Return-Path: <sender@example.net>\r\nDelivered-To: alice@example.org\r\n"
    assert await served(database, blobs, "alice", Form.UTF8) == prefix + UTF8
    assert await served(database, blobs, "alice", Form.PLAIN) == prefix + ASCII
    assert await audit(database, blobs) == []


async def test_recipients_share_the_surrogate_as_they_share_the_message(database: Database, tmp_path: Path) -> None:
    await people(database, "alice", "bob")
    blobs = store_of(database, tmp_path)
    await send(database, blobs, UTF8, "alice@example.org", "bob@example.org", smtputf8=True)
    assert len(await rows(database, blob.c.id)) == 2
    found = await rows(database, message.c.id, message.c.surrogate_id, message.c.requires)
    assert len(found) == 4
    assert {row.surrogate_id for row in found if row.requires} == {row.id for row in found if not row.requires}
    assert (await served(database, blobs, "bob", Form.PLAIN)).endswith(ASCII)


@pytest.mark.parametrize(
    ("content", "smtputf8", "binary"),
    [
        (b"Subject: plain\r\n\r\nx\r\n", True, False),
        (UTF8, False, False),
        (b"Subject: x\r\n\r\n\xff\r\n", True, False),
        (b"Subject: x\r\n\r\nx\r\n", True, True),
    ],
    ids=["ASCII", "raw 8-bit without SMTPUTF8", "an 8-bit body", "plain as BINARYMIME"],
)
async def test_where_none_is_needed_none_is_made(
    database: Database, tmp_path: Path, content: bytes, smtputf8: bool, binary: bool
) -> None:
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    await send(database, blobs, content, "alice@example.org", smtputf8=smtputf8, binary=binary)
    assert len(await rows(database, message.c.id)) == len(await rows(database, blob.c.id)) == 1
    assert (await served(database, blobs, "alice", Form.PLAIN)).endswith(content)


async def test_where_only_our_own_fields_are_utf8_the_octets_are_shared(database: Database, tmp_path: Path) -> None:
    await people(database, "alice", "李")
    blobs = store_of(database, tmp_path)
    content = b"Subject: \xff raw\r\n\r\nx\r\n"
    await send(database, blobs, content, "alice@example.org", "李@example.org")
    assert len(await rows(database, blob.c.id)) == 1
    raw = "Return-Path: <sender@example.net>\r\nDelivered-To: 李@example.org\r\n".encode()
    assert await served(database, blobs, "李", Form.UTF8) == raw + content
    assert await served(database, blobs, "李", Form.PLAIN) == (
        b"Return-Path: <sender@example.net>\r\nDowngraded-Delivered-To: =?UTF-8?B?5p2OQGV4YW1wbGUub3Jn?=\r\n" + content
    )
    assert (await served(database, blobs, "alice", Form.PLAIN)).startswith(b"Return-Path: <sender@example.net>\r\nDel")
    assert len(await rows(database, message.c.id)) == 3
    assert await audit(database, blobs) == []


async def test_a_reverse_path_in_utf8_is_in_the_prefix_of_both_forms(database: Database, tmp_path: Path) -> None:
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    await send(database, blobs, UTF8, "alice@example.org", reverse_path="李@example.net", smtputf8=True)
    assert (await served(database, blobs, "alice", Form.UTF8)).startswith("Return-Path: <李@example.net>\r\n".encode())
    plain = await served(database, blobs, "alice", Form.PLAIN)
    assert plain.startswith(b"Downgraded-Return-Path: =?UTF-8?B?")
    assert plain.endswith(ASCII)


async def test_binary_mail_is_served_raw_to_nobody_who_does_not_take_it(database: Database, tmp_path: Path) -> None:
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    await send(database, blobs, BINARY, "alice@example.org", binary=True)
    for takes in (Form.PLAIN, Form.UTF8):
        whole = await served(database, blobs, "alice", takes)
        assert b"\0" not in whole
        assert email.message_from_bytes(whole, policy=email.policy.SMTP).get_content() == b"\0\r\xff\n"
    assert (await served(database, blobs, "alice", Form.UTF8 | Form.BINARY)).endswith(BINARY)
    assert await audit(database, blobs) == []


async def test_content_without_a_header_keeps_its_distance_from_our_fields(database: Database, tmp_path: Path) -> None:
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    await send(database, blobs, b" \0 forged\r\n", "alice@example.org", binary=True)
    whole = await served(database, blobs, "alice", Form.PLAIN)
    found = email.message_from_bytes(whole)
    assert found["delivered-to"] == "alice@example.org"
    assert found.get_payload(decode=True) == b" \0 forged\r\n"


@pytest.mark.parametrize("files", [True, False])
async def test_large_mail_streams_into_both_forms(database: Database, tmp_path: Path, files: bool) -> None:
    await people(database, "alice")
    folder = tmp_path / "blobs"
    blobs = BlobStore(database, BlobSettings(folder, inline_octets=1_000, files=files))
    content = BINARY.replace(b"MIME", "Subject: 大\r\nMIME".encode()) + bytes(range(256)) * 8_000
    await send(database, blobs, content, "alice@example.org", smtputf8=True, binary=True)
    assert {row.place for row in await rows(database, blob.c.place)} == {Place.FILE if files else Place.CHUNKED}
    assert sum(path.is_file() for path in folder.rglob("*")) == (2 if files else 0)
    found = email.message_from_bytes(await served(database, blobs, "alice", Form.UTF8), policy=email.policy.SMTP)
    assert found["subject"] == "大"
    assert found.get_content() == content.partition(b"\r\n\r\n")[2]
    assert await audit(database, blobs) == []


async def test_what_is_given_up_leaves_neither_form(database: Database, tmp_path: Path) -> None:
    folder = tmp_path / "blobs"
    blobs = BlobStore(database, BlobSettings(folder, inline_octets=100))
    one = arrival(blobs, smtputf8=True)
    await arrived(one, UTF8 + b"x" * 1_000)
    assert sum(path.is_file() for path in folder.rglob("*")) == 2
    await one.discard()
    assert not [path for path in folder.rglob("*") if path.is_file()]


async def test_a_connection_lost_while_the_surrogate_is_made_leaves_nothing(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "blobs"
    blobs = BlobStore(database, BlobSettings(folder, inline_octets=100))
    one = arrival(blobs, binary=True)
    await one.write(BINARY + b"\0" * 3_000_000)
    begun = asyncio.Event()
    in_thread = blobs.in_thread

    async def told(call: Any) -> Any:
        if sum(path.is_file() for path in folder.rglob("*")) == 2:
            begun.set()
        return await in_thread(call)

    monkeypatch.setattr(blobs, "in_thread", told)
    finishing = asyncio.ensure_future(one.finish())
    await begun.wait()
    finishing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await finishing
    await one.discard()
    assert not [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(("content", "binary"), [(UTF8, False), (BINARY, True)], ids=["UTF-8", "binary"])
async def test_a_message_that_waited_gets_its_surrogate_when_it_is_stored(
    database: Database, tmp_path: Path, content: bytes, binary: bool
) -> None:
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    account = (await inbox(database, "alice")).account
    await database.write(without_inbox, account)
    accepted = await send(database, blobs, content, "alice@example.org", smtputf8=not binary, binary=binary)
    assert [row.state for row in accepted.deliveries] == [State.WAITING]
    await database.write(with_inbox, account)
    assert await WaitingDeliveries(database, blobs, Events(), clock=lambda: NOW).deliver_due() == 1
    raw = await served(database, blobs, "alice", Form.UTF8 | Form.BINARY)
    assert raw.endswith(content)
    plain = await served(database, blobs, "alice", Form.PLAIN)
    assert b"\0" not in plain
    assert plain.partition(b"\r\n\r\n")[0].isascii()
    assert await audit(database, blobs) == []


async def test_content_whose_last_line_has_no_end_is_told_with_one(database: Database, tmp_path: Path) -> None:
    """As BDAT may end a message (RFC 3030 section 2); POP3 ends the line (RFC 1939 section 3)."""
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    await send(database, blobs, b"Subject: x\r\n\r\nno end", "alice@example.org")
    assert (await served(database, blobs, "alice", Form.PLAIN)).endswith(b"no end")
    await send(database, blobs, "Subject: é\r\n\r\nno end".encode(), "alice@example.org", smtputf8=True)
    assert (await served(database, blobs, "alice", Form.PLAIN)).endswith(b"no end")


async def test_append_makes_one_too(database: Database, tmp_path: Path) -> None:
    """What IMAP's APPEND with UTF8 data does (RFC 6855 section 4)."""
    await people(database, "alice")
    blobs = store_of(database, tmp_path)
    found = await inbox(database, "alice")
    content = "Subject: é\n\nbare newlines\n".encode()
    incoming = blobs.incoming()
    await incoming.write(content)
    octets, kept = await incoming.finish()
    made = await surrogate_of(blobs, kept, scan(content), Form.UTF8, Limits())
    assert made is not None
    new = NewMessage(
        MailboxKey(found.account, found.id), MessageId(fresh()), octets.id, scan(content), b"", octets.size, NOW, Flags(0),
        crlf_size=octets.size + 3, surrogate=made.row(MessageId(fresh())),
    )  # fmt: skip
    await database.write(messages.append, Append(new, octets, NOW, made.content.blob))
    await made.release()
    found = await inbox(database, "alice")
    key = MailboxKey(found.account, found.id)
    plain = await database.read(messages.locate, key, [Uid(1)], Form.PLAIN)
    assert await blobs.whole(plain[0]) == b"Subject: =?UTF-8?B?w6k=?=\r\n\nbare newlines\n"
    assert await database.read(messages.sizes, key, Form.PLAIN) == [(1, plain[0].size + 2)]
    assert await database.read(messages.sizes, key, Form.UTF8) == [(1, octets.size + 3)]
    assert await audit(database, blobs) == []


async def test_plain_octets_have_no_surrogate(database: Database, tmp_path: Path) -> None:
    blobs = store_of(database, tmp_path)
    assert await surrogate_of(blobs, ASCII, scan(ASCII), Form.UTF8 | Form.BINARY, Limits()) is None


def test_what_may_be_in_a_message_is_what_mail_said() -> None:
    def said(body: str, smtputf8: bool) -> Form:
        some: Any = 0
        return forms_in(Acceptance(some, NOW, "", "", None, "", some, b"", 0, body, smtputf8))

    assert said("8BITMIME", False) == Form.PLAIN
    assert said("7BIT", True) == Form.UTF8
    assert said("BINARYMIME", True) == Form.UTF8 | Form.BINARY
