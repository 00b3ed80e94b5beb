"""The octets of messages come back as they were accepted, whole and in parts."""

from pathlib import Path

import pytest

from tests.transcripts.world import World
from tests.unit.imap.talk import bodies, in_world, logged_in

PREFIX = b"Return-Path: <bob@example.net>\r\nDelivered-To: alice@example.org\r\n"
INNER = b"Subject: inner\r\n\r\ninner text\r\n"
MULTIPART = (
    b"Subject: outer\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n"
    b"Content-Type: message/rfc822\r\n\r\n" + INNER + b"\r\n--b--\r\n"
)


def pieces(content: bytes) -> list[bytes]:
    """Contents of a row, and of a file."""
    return [content, content + b"y" * 100_000]


@pytest.mark.parametrize("prefix", [b"", PREFIX])
@pytest.mark.parametrize("content", pieces(MULTIPART))
def test_parts_are_where_they_are_whatever_stands_before_the_blob(
    prefix: bytes, content: bytes, tmp_path: Path, template: Path
) -> None:
    async def act(here: World) -> None:
        await here.deliver(content, prefix=prefix)
        async with logged_in(here, selected="INBOX") as one:
            found = await bodies(
                one,
                b"1 (BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[2.MIME]"
                b" BODY.PEEK[2.HEADER] BODY.PEEK[2.TEXT] BODY.PEEK[2.1] BODY.PEEK[1.MIME] BODY.PEEK[3] BODY.PEEK[1.TEXT])",
            )
            whole = prefix + content
            cut = whole.index(b"\r\n\r\n") + 4
            assert found == {
                b"BODY[]": whole,
                b"BODY[HEADER]": whole[:cut],
                b"BODY[TEXT]": whole[cut:],
                b"BODY[1]": b"one",
                b"BODY[1.MIME]": b"\r\n",
                b"BODY[1.TEXT]": None,
                b"BODY[2]": INNER,
                b"BODY[2.MIME]": b"Content-Type: message/rfc822\r\n\r\n",
                b"BODY[2.HEADER]": b"Subject: inner\r\n\r\n",
                b"BODY[2.TEXT]": b"inner text\r\n",
                b"BODY[2.1]": b"inner text\r\n",
                b"BODY[3]": None,
            }

    in_world(tmp_path, template, act)


@pytest.mark.parametrize("content", [b" no field\r\nat all\r\n", b"\r\nbody\r\n", b"\r\n"])
def test_a_message_without_header_keeps_its_body_apart_from_our_fields(
    content: bytes, tmp_path: Path, template: Path
) -> None:
    prefix = PREFIX + b"\r\n"

    async def act(here: World) -> None:
        await here.deliver(content, prefix=prefix)
        async with logged_in(here, selected="INBOX") as one:
            found = await bodies(one, b"1 (BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[])")
            assert found == {
                b"BODY[HEADER]": prefix,
                b"BODY[TEXT]": content,
                b"BODY[]": prefix + content,
            }

    in_world(tmp_path, template, act)


@pytest.mark.parametrize("octets", [10, 64 << 10, 3 << 20])
def test_an_appended_message_comes_back_and_a_large_one_in_pieces(octets: int, tmp_path: Path, template: Path) -> None:
    content = b"Subject: x\r\n\r\n" + bytes(range(1, 256)) * (octets // 255 + 1)

    async def act(here: World) -> None:
        async with logged_in(here, selected="INBOX") as one:
            await one.ask(b"a APPEND INBOX {%d}\r\n" % len(content))
            assert b"a OK [APPENDUID" in await one.ask(content + b"\r\n")
            sizes: list[int] = []
            write = one.wire.write
            one.wire.channel._wire.write = lambda data: (sizes.append(len(data)), write(data))  # type: ignore[method-assign,assignment,func-returns-value]
            assert (await bodies(one, b"1 BODY[]"))[b"BODY[]"] == content
            assert max(sizes) <= 512 << 10
            part = await bodies(one, b"1 BODY[]<%d.100>" % (len(content) - 50))
            assert list(part.values()) == [content[-50:]]

    in_world(tmp_path, template, act)


def test_fields_come_from_the_header_cache_or_from_the_header_the_same(tmp_path: Path, template: Path) -> None:
    header = b"Subject: a\r\n folded\r\nX-Other: 1\r\nFrom: b@example.net\r\nsubject: second\r\n\r\n"

    async def act(here: World) -> None:
        await here.deliver(header + b"body\r\n", prefix=PREFIX)
        async with logged_in(here, selected="INBOX") as one:
            cached = await bodies(one, b"1 BODY.PEEK[HEADER.FIELDS (SUBJECT)]")
            read = await bodies(one, b"1 BODY.PEEK[HEADER.FIELDS (SUBJECT X-None)]")
            expected = b"Subject: a\r\n folded\r\nsubject: second\r\n\r\n"
            assert list(cached.values()) == list(read.values()) == [expected]
            others = await bodies(one, b"1 BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT FROM)]")
            assert list(others.values()) == [PREFIX + b"X-Other: 1\r\n\r\n"]

    in_world(tmp_path, template, act)


def test_a_message_that_another_session_expunged_is_still_served(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        for number in range(3):
            await here.deliver(b"Subject: %d\r\n\r\nbody %d" % (number, number))
        async with logged_in(here, selected="INBOX") as one:
            await here.expunge([2])
            assert list((await bodies(one, b"2 BODY.PEEK[TEXT]")).values()) == [b"body 1"]
            assert list((await bodies(one, b"3 BODY[TEXT]")).values()) == [b"body 2"]
            assert await one.ask(b"a NOOP\r\n") == b"* 2 EXPUNGE\r\na OK NOOP completed\r\n"
            assert list((await bodies(one, b"2 BODY.PEEK[TEXT]")).values()) == [b"body 2"]

    in_world(tmp_path, template, act)
