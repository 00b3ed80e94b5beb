"""The octets of a message on their way out: what is said of them is what is in them."""

import email
import email.policy
from pathlib import Path
from typing import Any

import pytest

from mailhost.database.database import Database
from mailhost.message.form import Form
from mailhost.relay.contents import IN_MEMORY, Contents
from mailhost.smtp.client.outgoing import Content
from tests.relay.waiting import PREFIX, accepted, store

PLAIN, EIGHT = b"Subject: x\r\n\r\nbody\r\n", "Subject: x\r\n\r\nbödy\r\n".encode()
UTF8 = "Subject: größe\r\n\r\nbody\r\n".encode()
IN_PART = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain; name=größe\r\n\r\nx\r\n--b--\r\n".encode()


async def octets(content: Content) -> bytes:
    whole = b"".join([piece async for piece in content.pieces()])
    assert len(whole) == content.octets
    return whole


@pytest.mark.parametrize(
    ("content", "fields", "requires"),
    [
        (PLAIN, {"body": "8BITMIME", "smtputf8": True}, Form.PLAIN),
        (EIGHT, {"body": "7BIT"}, Form.EIGHTBIT),
        (EIGHT, {"smtputf8": True}, Form.EIGHTBIT),
        (UTF8, {"smtputf8": True}, Form.EIGHTBIT | Form.UTF8),
        (IN_PART, {"smtputf8": True}, Form.EIGHTBIT | Form.UTF8),
        (UTF8, {}, Form.EIGHTBIT),
        (PLAIN, {"body": "BINARYMIME"}, Form.BINARY),
    ],
)
async def test_what_it_requires_is_known_by_looking(
    database: Database, tmp_path: Path, content: bytes, fields: dict[str, Any], requires: Form
) -> None:
    blobs = store(database, tmp_path)
    found = await Contents(blobs).of(await accepted(database, blobs, content, "bob@blue.test", **fields))
    assert found.requires == requires
    assert await octets(found) == PREFIX + content


@pytest.mark.parametrize("content", [b"no field\r\n", b" folded\r\n", b"\r\nbody\r\n", b"", b".\r\n"])
async def test_content_that_does_not_begin_with_a_field_is_kept_apart(
    database: Database, tmp_path: Path, content: bytes
) -> None:
    blobs = store(database, tmp_path)
    found = await Contents(blobs).of(await accepted(database, blobs, content, "bob@blue.test"))
    assert await octets(found) == PREFIX + b"\r\n" + content


async def test_an_alias_in_utf8_that_our_own_field_names_asks_nothing_of_others(
    database: Database, tmp_path: Path
) -> None:
    blobs = store(database, tmp_path)
    prefix = "Received: from x by y id 1 for <用户@red.test>; now\r\n".encode()
    for content, is_ascii in ((PLAIN, True), (UTF8, False)):
        acceptance = await accepted(database, blobs, content, "bob@blue.test", prefix=prefix, smtputf8=True)
        found = await Contents(blobs).of(acceptance)
        assert (await octets(found)).isascii() is is_ascii
        assert bool(found.requires & Form.UTF8) is not is_ascii


@pytest.mark.parametrize("files", [True, False])
@pytest.mark.parametrize("size", [100, 100_000, IN_MEMORY + 100_000])
async def test_eight_bits_are_taken_out_wherever_the_message_rests(
    database: Database,
    tmp_path: Path,
    size: int,
    files: bool,
) -> None:
    """In its row, in a file, in rows of pieces."""
    blobs = store(database, tmp_path, files=files)
    text = ("ö" * 50 + "\r\n") * (size // 100)
    acceptance = await accepted(database, blobs, b"Subject: x\r\n\r\n" + text.encode(), "bob@blue.test")
    found = await Contents(blobs).of(acceptance)
    assert found.requires == Form.EIGHTBIT
    converted = await found.without(Form.EIGHTBIT)
    assert converted.requires == Form.PLAIN
    for _ in range(2):  # it may be sent again
        whole = await octets(converted)
        assert whole.isascii()
        one = email.message_from_bytes(whole, policy=email.policy.default)
        assert one["Received"] == "from x by y; now"
        assert one.get_payload(decode=True) == text.encode()
    blobs.close()


async def test_a_header_that_conversion_makes_goes_on_behind_our_own(database: Database, tmp_path: Path) -> None:
    blobs = store(database, tmp_path)
    acceptance = await accepted(database, blobs, "grüße\r\n".encode(), "bob@blue.test")
    converted = await (await Contents(blobs).of(acceptance)).without(Form.EIGHTBIT)
    one = email.message_from_bytes(await octets(converted), policy=email.policy.default)
    assert one.keys() == ["Received", "MIME-Version", "Content-Transfer-Encoding", "Content-Type"]
    assert one.get_content() == "grüße\r\n"


async def test_binary_that_is_plain_after_all_stays(database: Database, tmp_path: Path) -> None:
    blobs = store(database, tmp_path)
    acceptance = await accepted(database, blobs, PLAIN, "bob@blue.test", body="BINARYMIME")
    left = await (await Contents(blobs).of(acceptance)).without(Form.BINARY)
    assert (left.requires, await octets(left)) == (Form.PLAIN, PREFIX + PLAIN)


async def test_each_blob_is_looked_at_once(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = store(database, tmp_path)
    contents = Contents(blobs)
    acceptance = await accepted(database, blobs, EIGHT, "bob@blue.test")
    await contents.of(acceptance)
    monkeypatch.setattr(blobs, "blob_pieces", None)
    again = await contents.of(acceptance)
    assert again.requires == Form.EIGHTBIT
    assert await octets(again) == PREFIX + EIGHT
