"""What a session keeps to itself, and what becomes of a message that is broken off."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mailhost.events.event import LINES, Event
from mailhost.smtp import replies
from mailhost.smtp.replies import Reply
from tests.transcripts.world import World
from tests.unit.smtp.talk import begin, client, in_world, messages_of

SECRETS = [b"secret", b"c2VjcmV0", b"AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA=="]


@pytest.mark.parametrize(
    "said",
    [
        b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\r\n",
        b"auth  plain\tAGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\r\n",
        b"AUTH\tPLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\r\n",
        b"AUTH PLAIN\r\nAGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\r\n",
        b"AUTH LOGIN\r\nYWxpY2VAZXhhbXBsZS5vcmc=\r\nc2VjcmV0\r\n",
        b"AUTH CRAM-MD5\r\nc2VjcmV0\r\n",
        b"AUTH LOGIN YWxpY2VAZXhhbXBsZS5vcmc= c2VjcmV0\r\nc2VjcmV0\r\nc2VjcmV0\r\n",
        b"AUTHPLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\r\n",
        b"PASS secret\r\n",
        b"a1 LOGIN alice secret\r\n",
        b"\0AUTH PLAIN c2VjcmV0\r\n",
    ],
)
@pytest.mark.parametrize("submission", [True, False])
def test_no_password_is_in_any_event(said: bytes, submission: bool, tmp_path: Path, template: Path) -> None:
    events: list[Event] = []

    async def act(here: World) -> None:
        here.services.events.subscribe(events.append, lines=True)
        async with client(here, submission=submission) as one:
            await one.ask(said)

    in_world(tmp_path, template, act)
    assert any(event.kind in LINES and event.direction == "C" for event in events)
    told = repr(events).encode()
    assert not [secret for secret in SECRETS if secret in told]


def files(here: World) -> list[Path]:
    return [path for path in (here.folder / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("octets", [100, 70_000, 600_000])
@pytest.mark.parametrize("reset", [True, False], ids=["a reset", "an end of input"])
def test_a_connection_lost_in_the_middle_of_a_message_leaves_nothing(
    octets: int, reset: bool, tmp_path: Path, template: Path
) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "bob")
            await one.say(b"Subject: x\r\n\r\n" + b"x" * octets)
            if reset:
                one.task.cancel()  # as a connection does; also while a piece is being written
                await asyncio.wait([one.task])
        assert files(here) == []
        assert await messages_of(here, "bob") == 0

    in_world(tmp_path, template, act)


@pytest.mark.parametrize("octets", [100, 70_000, 600_000])
@pytest.mark.parametrize("within", [True, False], ids=["within a chunk", "between two"])
@pytest.mark.parametrize("reset", [True, False], ids=["a reset", "an end of input"])
def test_a_connection_lost_among_chunks_leaves_nothing(
    octets: int, within: bool, reset: bool, tmp_path: Path, template: Path
) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "bob", command=b"")
            content = b"Subject: x\r\n\r\n" + b"x" * octets
            said = await one.ask(b"BDAT %d\r\n" % len(content) + content + b"BDAT 10 LAST\r\n12345" * within)
            assert said.startswith(b"250 2.0.0 ")
            if reset:
                one.task.cancel()
                await asyncio.wait([one.task])
        assert files(here) == []
        assert await messages_of(here, "bob") == 0

    in_world(tmp_path, template, act)


@pytest.mark.parametrize("command", [b"RSET\r\n", b"EHLO again.example.net\r\n", b"QUIT\r\n"])
def test_what_ends_a_transaction_takes_the_chunks_of_a_large_message_with_it(
    command: bytes, tmp_path: Path, template: Path
) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "bob", command=b"")
            content = b"Subject: x\r\n\r\n" + b"x" * 200_000
            assert (await one.ask(b"BDAT %d\r\n%b" % (len(content), content))).startswith(b"250 ")
            assert len(files(here)) == 1
            assert (await one.ask(command)).startswith(b"2")
            assert files(here) == []

    in_world(tmp_path, template, act)


@pytest.mark.parametrize("turns", range(12))
def test_a_reset_at_any_step_of_a_large_message_leaves_no_file(turns: int, tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "bob")
            one.wire.client_says(b"Subject: x\r\n\r\n" + b"x" * 100_000 + b"\r\n")
            for _ in range(turns):
                await asyncio.sleep(0)
            one.task.cancel()
            await asyncio.wait([one.task])
        assert files(here) == []

    in_world(tmp_path, template, act)


def refused(content: bytes, wanted: bytes, tmp_path: Path, template: Path, **settings: Any) -> None:
    async def act(here: World) -> None:
        async with client(here, **settings) as one:
            await begin(one, "bob")
            heard = await one.ask(content + b".\r\nNOOP\r\n")
            assert heard.splitlines()[0].startswith(wanted)
            assert heard.splitlines()[1:] == [b"250 2.0.0 OK"]
            assert files(here) == []
            assert await messages_of(here, "bob") == 0
            await begin(one, "bob")
            assert (await one.ask(b"Subject: y\r\n\r\n.\r\n")).startswith(b"250 2.0.0 Accepted")

    in_world(tmp_path, template, act)


def refused_chunk(content: bytes, wanted: bytes, tmp_path: Path, template: Path, **settings: Any) -> None:
    async def act(here: World) -> None:
        async with client(here, **settings) as one:
            await begin(one, "bob", command=b"")
            heard = await one.ask(b"BDAT %d LAST\r\n%bNOOP\r\n" % (len(content), content))
            assert heard.splitlines()[0].startswith(wanted)
            assert heard.splitlines()[1:] == [b"250 2.0.0 OK"]
            assert files(here) == []
            await begin(one, "bob", command=b"")
            assert (await one.ask(b"BDAT 14 LAST\r\nSubject: y\r\n\r\n")).startswith(b"250 2.0.0 Accepted")
        assert await messages_of(here, "bob") == 1

    in_world(tmp_path, template, act)


@pytest.mark.parametrize("bare", [b"\n.\n", b"\r.\r", b"\n.\r\n", b"\r\n.\n", b"a\r", b"\n"])
def test_a_chunk_has_no_bare_newline(bare: bytes, tmp_path: Path, template: Path) -> None:
    refused_chunk(b"Subject: x\r\n\r\na" + bare, b"550 5.6.0 Bare", tmp_path, template)


def test_a_chunk_has_no_nul(tmp_path: Path, template: Path) -> None:
    refused_chunk(b"Subject: x\r\n\r\n\0\r\n", b"550 5.6.0 NUL", tmp_path, template)


def test_chunks_beyond_the_limit_are_read_to_their_end(tmp_path: Path, template: Path) -> None:
    refused_chunk(b"Subject: x\r\n\r\n" + b"x" * 200_000, b"552 5.3.4 ", tmp_path, template, message_octets=150_000)


def test_a_header_in_chunks_has_its_limit(tmp_path: Path, template: Path) -> None:
    refused_chunk(b"Subject: x\r\n" * 1_000 + b"\r\n", b"552 5.3.4 ", tmp_path, template, header_octets=5_000)


@pytest.mark.parametrize("body", [b"", b"\r\nbody", b"\r\n" + b"x" * 100_000])
def test_a_loop_in_chunks_is_seen(body: bytes, tmp_path: Path, template: Path) -> None:
    refused_chunk(b"Received: x\r\n" * 11 + body, b"554 5.4.6 ", tmp_path, template, most_hops=10)


@pytest.mark.parametrize("octet", [b"\r", b"\n", b"\0"])
def test_a_binary_message_has_a_header_of_lines(octet: bytes, tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "bob", parameters=" BODY=BINARYMIME", command=b"")
            content = b"Subject: x" + octet + b"From: y\r\n\r\nbody"
            assert (await one.ask(b"BDAT %d LAST\r\n%b" % (len(content), content))).startswith(b"550 5.6.0 ")
        assert await messages_of(here, "bob") == 0

    in_world(tmp_path, template, act)


def test_a_message_beyond_its_limit_is_read_to_its_end(tmp_path: Path, template: Path) -> None:
    refused(b"Subject: x\r\n\r\n" + b"x" * 200_000 + b"\r\n", b"552 5.3.4 ", tmp_path, template, message_octets=150_000)


def test_a_header_beyond_its_limit_is_read_to_its_end(tmp_path: Path, template: Path) -> None:
    refused(b"Subject: x\r\n" * 1_000 + b"\r\n", b"552 5.3.4 ", tmp_path, template, header_octets=5_000)


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\nbody\r\n", b"\r\n" + b"x" * 100_000 + b"\r\n"])
def test_a_loop_is_seen_whatever_the_body(body: bytes, tmp_path: Path, template: Path) -> None:
    refused(b"Received: x\r\n" * 11 + body, b"554 5.4.6 ", tmp_path, template, most_hops=10)


def all_replies() -> list[Reply]:
    return [each for each in vars(replies).values() if isinstance(each, Reply)]


@pytest.mark.parametrize("reply", all_replies(), ids=lambda reply: f"{reply.code} {reply.lines[0][:30]}")
def test_each_reply_has_lines_of_at_most_512_octets_and_the_enhanced_code_of_its_class(reply: Reply) -> None:
    for line in bytes(reply).splitlines(keepends=True):
        assert len(line) <= 512
        assert line.endswith(b"\r\n")
    if reply.enhanced:
        assert reply.enhanced[0] == str(reply.code)[0]
    assert reply.enhanced or reply in (replies.GO_AHEAD, replies.BAD_HELLO)


def fault_in(name: str) -> Callable[[pytest.MonkeyPatch], None]:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a mistake of ours")

    return lambda patch: patch.setattr(f"mailhost.smtp.grammar.Reader.{name}", broken)


def test_a_fault_while_arguments_are_read_is_451_and_the_session_goes_on(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            with monkeypatch.context() as patch:
                fault_in("reverse_path")(patch)
                assert (await one.ask(b"MAIL FROM:<a@b.example>\r\n")).startswith(b"451 4.3.0 ")
            assert (await one.ask(b"MAIL FROM:<a@b.example>\r\n")).startswith(b"250 ")

    in_world(tmp_path, template, act)


def test_a_fault_while_a_command_is_read_ends_the_conversation_and_is_told(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[Event] = []

    async def act(here: World) -> None:
        here.services.events.subscribe(events.append)
        async with client(here) as one:
            with monkeypatch.context() as patch:
                fault_in("optional_word")(patch)
                await one.say(b"NOOP\r\n")
                await asyncio.wait([one.task], timeout=5)
            assert one.wire.closed

    in_world(tmp_path, template, act)
    assert [event.kind for event in events][-2:] == ["fault", "conn.close"]
