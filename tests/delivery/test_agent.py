"""What a program on this machine hands over is stored for all recipients, as mail is, or for none."""

import io
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as some

from mailhost.administration.audit import audit
from mailhost.database.database import Database
from mailhost.delivery.agent import LONGEST_HEAD, PIECE, Bounds, Handed, MessageRefused, deliver
from mailhost.delivery.agent import _octets as octets_of
from mailhost.delivery.route import RecipientUnknown
from mailhost.message.address import Address, parse_address
from mailhost.queue import entries, search
from mailhost.queue.values import Acceptance, State
from mailhost.store import messages
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.store.tables import blob, message
from mailhost.store.values import MailboxKey, Place
from mailhost.users import accounts
from tests.delivery.building import NOW, inbox, people
from tests.store.building import count_rows

HOST = "mail.example.org"
SENDER = Address("root", "client.example")
HEAD = b"Date: Mon, 1 Jan 2026 00:00:00 +0000\nMessage-ID: <1@client.example>\n"
RECEIVED = b"Received: from there by here; Mon, 1 Jan 2026 00:00:00 +0000\n"


@asynccontextmanager
async def store(database: Database, folder: Path, files: bool = True) -> AsyncIterator[BlobStore]:
    await people(database, "alice", "bob")
    octets = BlobStore(database, BlobSettings(folder / "blobs", inline_octets=1000, files=files))
    try:
        yield octets
    finally:
        octets.close()


async def hand_over(
    database: Database,
    octets: BlobStore,
    content: bytes,
    *to: str,
    sender: Address | None = SENDER,
    bounds: Bounds = Bounds(),
    read: Callable[[int], bytes] | None = None,
) -> None:
    recipients = tuple(parse_address(each.encode()) for each in to or ("alice@example.org",))
    await deliver(database, octets, HOST, Handed(sender, recipients, 1000), read or io.BytesIO(content).read, bounds)


async def got(database: Database, octets: BlobStore, name: str = "alice") -> list[bytes]:
    found = await inbox(database, name)
    uids = list(range(1, found.uid_next))
    located = await database.read(messages.locate, MailboxKey(found.account, found.id), uids)  # type: ignore[arg-type]
    return [await octets.whole(each) for each in located]


async def accepted(database: Database) -> list[Acceptance]:
    return [each for each, _ in await database.read(search.journeys, ("@",), 100)]


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        (
            RECEIVED + b"Subject: x\n\nLF\n.\n..\n",
            RECEIVED.replace(b"\n", b"\r\n") + b"Subject: x\r\n\r\nLF\r\n.\r\n..\r\n",
        ),
        (b"Received: x\r\n\r\nCRLF\r\n", b"Received: x\r\n\r\nCRLF\r\n"),
        (b"Received: x\n\nno end", b"Received: x\r\n\r\nno end\r\n"),
        (b"Received: x\n\n50 %\r100 %\n", b"Received: x\r\n\r\n50 %\r\n100 %\r\n"),
        (b"From root Mon Jan  1\nReceived: x\n\nFrom here on\n", b"Received: x\r\n\r\nFrom here on\r\n"),
        (b"From root Mon Jan  1\r\nReceived: x\r\n\r\n", b"Received: x\r\n\r\n"),
        (b"From : old@client.example\nReceived: x\n\n", b"From : old@client.example\r\nReceived: x\r\n\r\n"),
        (b"Received: x\n\n\xff\xfe 8-bit\n", b"Received: x\r\n\r\n\xff\xfe 8-bit\r\n"),
    ],
)
async def test_lines_become_those_of_mail_and_the_mbox_line_goes(
    database: Database, tmp_path: Path, content: bytes, stored: bytes
) -> None:
    async with store(database, tmp_path) as octets:
        await hand_over(database, octets, content)
        (whole,) = await got(database, octets)
        assert whole.endswith(b"\r\n" + stored)
        assert await audit(database, octets) == []


async def test_our_fields_stand_before_it(database: Database, tmp_path: Path) -> None:
    async with store(database, tmp_path) as octets:
        await hand_over(database, octets, RECEIVED + b"Subject: x\n\n", "Alice+tag@EXAMPLE.org")
        (whole,) = await got(database, octets)
        ours = whole.removesuffix(RECEIVED.replace(b"\n", b"\r\n") + b"Subject: x\r\n\r\n")
        journey = (await accepted(database))[0].journey
        unfolded = re.sub(rb"\r\n\t", b" ", ours).splitlines()
        assert unfolded[:2] == [b"Return-Path: <root@client.example>", b"Delivered-To: alice@example.org"]
        assert re.fullmatch(
            rb"Received: by mail\.example\.org \(mailhost deliver, user 1000\) id %016x"
            rb" for <Alice\+tag@example\.org>; .*\+0000" % journey,
            unfolded[2],
        )
        assert len(unfolded) == 3


async def test_without_a_sender_it_goes_back_to_nobody(database: Database, tmp_path: Path) -> None:
    async with store(database, tmp_path) as octets:
        await hand_over(database, octets, b"Subject: x\n\n", sender=None)
        (whole,) = await got(database, octets)
        assert whole.startswith(b"Return-Path: <>\r\n")


async def test_what_begins_here_gets_what_it_lacks_and_loses_who_is_named_to_nobody(
    database: Database, tmp_path: Path
) -> None:
    """A message of cron has neither Date nor Message-ID; one that other hosts have seen stays as it is."""
    async with store(database, tmp_path) as octets:
        await hand_over(database, octets, b"Subject: x\nBcc: secret@client.example\n\n")
        await hand_over(database, octets, RECEIVED + b"Subject: x\nBcc: kept@client.example\n\n")
        await hand_over(database, octets, b"no header at all\nat all\n")
        begun, passed, bare = await got(database, octets)
        assert b"\r\nDate: " in begun
        assert b"\r\nMessage-ID: <" in begun
        assert b"secret" not in begun
        assert b"\r\nDate: " not in passed
        assert b"kept" in passed
        assert bare.endswith(b"\r\n\r\nno header at all\r\nat all\r\n")


async def test_it_is_found_by_its_subject_and_its_message_id(database: Database, tmp_path: Path) -> None:
    async with store(database, tmp_path) as octets:
        await hand_over(database, octets, HEAD + b"Subject: =?utf-8?q?the_backup?=\n\n")
        await hand_over(database, octets, b"Subject: another\n\n")
        for words in (("the backup",), ("<1@client.example>",)):
            ((it, _),) = await database.read(search.journeys, words, 100)
            assert (it.subject, it.message_id) == ("the backup", "<1@client.example>")


async def test_all_recipients_share_one_blob_each_with_a_row(database: Database, tmp_path: Path) -> None:
    async with store(database, tmp_path) as octets:
        await database.write(accounts.add_alias, "both", "example.org", "alice@example.org", NOW)
        await database.write(accounts.add_alias, "both", "example.org", "x@elsewhere.example", NOW)
        to = ("alice@example.org", "bob@example.org", "BOB@example.org", "both@example.org")
        await hand_over(database, octets, b"Subject: x\n\n", *to)
        assert await database.read(count_rows, blob, message) == [1, 2]
        states = await database.read(entries.states)
        assert states == {State.STORED: 4, State.EXPANDED: 1, State.WAITING: 1}
        (whole,) = await got(database, octets, "bob")
        assert b" for <" not in whole  # who gets it too is nobody's business
        assert await audit(database, octets) == []


REFUSED = [
    (b"Subject: x\n\nNUL \0\n", Bounds(), "NUL"),
    (b"", Bounds(), "no message"),
    (b"From root Mon Jan  1\n", Bounds(), "no message"),
    (b"Subject: x\n\n" + b"x" * 2000, Bounds(message_octets=2000), "larger than 2,000"),
    (b"Subject: " + b"x" * 2000 + b"\n\n", Bounds(header_octets=2000), "header is larger than 2,000"),
    (RECEIVED * 4 + b"\n", Bounds(most_hops=3), "loop"),
    (b"Subject: x\n\n" + b"x" * 3_000_000 + b"\0", Bounds(), "NUL"),
]


@pytest.mark.parametrize(("content", "bounds", "why"), REFUSED, ids=[why for _, _, why in REFUSED])
async def test_what_no_message_may_be_is_refused_and_nothing_is_kept(
    database: Database, tmp_path: Path, content: bytes, bounds: Bounds, why: str
) -> None:
    async with store(database, tmp_path) as octets:
        with pytest.raises(MessageRefused, match=why):
            await hand_over(database, octets, content, bounds=bounds)
        assert await database.read(count_rows, blob, message) == [0, 0]
        assert not list(octets.settings.folder.glob("*/*"))


async def test_nobody_gets_it_when_one_is_unknown_and_it_is_not_even_read(database: Database, tmp_path: Path) -> None:
    async with store(database, tmp_path) as octets:

        def read(_: int) -> bytes:
            raise AssertionError("it was read")

        to = ("alice@example.org", "nobody@example.org", "alice@exmaple.org")
        with pytest.raises(RecipientUnknown, match=r"nobody@example\.org, alice@exmaple\.org"):
            await hand_over(database, octets, b"", *to, read=read)
        assert await database.read(count_rows, blob, message) == [0, 0]


async def test_a_source_that_breaks_leaves_nothing(database: Database, tmp_path: Path) -> None:
    async with store(database, tmp_path) as octets:
        pieces = iter([b"Subject: x\n\n", b"x" * 500_000])

        def read(_: int) -> bytes:
            try:
                return next(pieces)
            except StopIteration:
                raise OSError("broken") from None

        with pytest.raises(OSError, match="broken"):
            await hand_over(database, octets, b"", read=read)
        assert await database.read(count_rows, blob, message) == [0, 0]
        assert not list(octets.settings.folder.glob("*/*"))


@pytest.mark.parametrize("files", [True, False])
async def test_a_large_message_streams(database: Database, tmp_path: Path, files: bool) -> None:
    async with store(database, tmp_path, files) as octets:
        asked: list[int] = []
        source = io.BytesIO(RECEIVED + b"Subject: x\n\n" + b"0123456789abcdef\n" * 300_000)

        def read(most: int) -> bytes:
            asked.append(most)
            return source.read(most)

        await hand_over(database, octets, b"", read=read)
        (whole,) = await got(database, octets)
        assert whole.endswith(b"Subject: x\r\n\r\n" + b"0123456789abcdef\r\n" * 300_000)
        assert set(asked) == {PIECE}
        assert len(asked) > 10
        (kept,) = await database.read(lambda tx: [row.place for row in tx.execute(blob.select())])
        assert Place(kept) is (Place.FILE if files else Place.CHUNKED)
        assert await audit(database, octets) == []


@pytest.mark.parametrize(
    ("content", "smtputf8", "body"),
    [
        (b"Subject: x\n\nbody\n", False, "7BIT"),
        ("Subject: x\n\n你好\n".encode(), False, "8BITMIME"),
        ("Subject: 你好\n\nbody\n".encode(), True, "8BITMIME"),
        ("Subject: 你好\n\nbody\n".encode("gb18030"), False, "8BITMIME"),
        (b"Subject: " + b"x" * LONGEST_HEAD + "\u00e9\n\n".encode(), True, "8BITMIME"),
    ],
)
async def test_what_the_header_is_written_in_is_found_out(
    database: Database, tmp_path: Path, content: bytes, smtputf8: bool, body: str
) -> None:
    """Nobody tells it as MAIL does; a header in UTF-8 has a surrogate for clients that take none (RFC 6855)."""
    async with store(database, tmp_path) as octets:
        await hand_over(database, octets, content)
        (it,) = await accepted(database)
        assert (it.smtputf8, it.body) == (smtputf8, body)
        assert await database.read(count_rows, message) == [1 + smtputf8]
        assert await audit(database, octets) == []


@given(
    content=some.binary(max_size=200) | some.text("From :x\r\n", max_size=40).map(str.encode),
    sizes=some.lists(some.integers(1, 50), min_size=1),
)
def test_the_octets_are_the_same_in_whatever_pieces_they_come(content: bytes, sizes: list[int]) -> None:
    def pieces() -> Iterator[bytes]:
        start = 0
        while start < len(content):
            for size in sizes:
                yield content[start : start + size]
                start += size

    source = (piece for piece in pieces() if piece)
    assert b"".join(octets_of(lambda _: next(source, b""))) == b"".join(octets_of(io.BytesIO(content).read))
