"""What a POP3 session does beyond one line after another: commits, locks, streams, lost connections."""

import asyncio
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailhost.conversation.services import Limits
from mailhost.database.errors import CommitFailed
from mailhost.events.event import DATA_BLOCK, FAULT, LINE_IN, STORE_EXPUNGE, Event
from mailhost.pop3.dialect import dialect
from mailhost.store import messages
from tests.transcripts.player import Client
from tests.transcripts.world import World, sample_message
from tests.unit.pop3.talk import LOGIN, client, end, in_world, logged_in, messages_of

LARGE = b"Subject: large\r\n\r\n" + b".dotted line of a large message\r\n" * 40_000


async def fill(here: World, count: int = 3) -> None:
    for number in range(1, count + 1):
        await here.deliver(sample_message(number))


def unstuffed(response: bytes) -> bytes:
    """The message in a RETR response, without the status line and the end."""
    lines = response.split(b"\r\n")[1:-2]
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)


# What leaves, and when.


def end_of_input(one: Client) -> None:
    one.wire.client_ends()


def reset(one: Client) -> None:
    one.task.cancel()


@pytest.mark.parametrize("lose", [end_of_input, reset])
def test_a_lost_connection_deletes_nothing_and_frees_the_maildrop(
    tmp_path: Path, template: Path, lose: Callable[[Client], None]
) -> None:
    async def act(here: World) -> None:
        await fill(here)
        async with logged_in(here) as one:
            assert b"+OK" in await one.ask(b"DELE 1\r\nDELE 2\r\n")
            lose(one)
            await end(one)
        async with logged_in(here) as one:
            assert (await one.ask(b"STAT\r\n")).startswith(b"+OK 3 ")

    in_world(tmp_path, template, act)


def test_a_session_that_times_out_deletes_nothing_and_says_nothing(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await fill(here)
        async with logged_in(here) as one:
            await one.ask(b"DELE 1\r\n")
            one.wire.channel.timeout = timedelta(milliseconds=1).total_seconds()
            await one.ask(b"NOOP\r\n")
            assert await end(one) == b""
        assert await messages_of(here) == 3

    in_world(tmp_path, template, act)


def test_quit_says_ok_after_one_durable_commit(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(here: World) -> None:
        await fill(here)
        write, gate, asked = here.services.database.write, asyncio.Event(), []

        async def slow(operation: Any, *arguments: Any) -> Any:
            asked.append((operation, arguments[1]))
            await gate.wait()
            return await write(operation, *arguments)

        async with logged_in(here) as one:
            monkeypatch.setattr(here.services.database, "write", slow)
            await one.ask(b"DELE 3\r\nDELE 1\r\n")
            await one.say(b"QUIT\r\n")
            while not asked:
                await asyncio.sleep(0)
            assert bytes(one.wire.output) == b""
            assert await messages_of(here) == 3
            gate.set()
            assert await end(one) == b"+OK Goodbye\r\n"
            assert one.wire.closed
        assert asked == [(messages.expunge, [1, 3])]
        assert await messages_of(here) == 1

    in_world(tmp_path, template, act)


def test_quit_that_cannot_commit_says_so_and_removes_nothing(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any) -> None:
        raise CommitFailed("disk full")

    async def act(here: World) -> None:
        await fill(here)
        async with logged_in(here) as one:
            await one.ask(b"DELE 1\r\n")
            with monkeypatch.context() as broken:
                broken.setattr(here.services.database, "write", fail)
                await one.say(b"QUIT\r\n")
                assert await end(one) == b"-ERR [SYS/TEMP] some deleted messages not removed\r\n"
            assert one.wire.closed
        async with logged_in(here) as one:
            assert (await one.ask(b"STAT\r\n")).startswith(b"+OK 3 ")

    in_world(tmp_path, template, act)


def test_a_client_that_sends_all_at_once_and_closes_is_answered(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await fill(here, 1)
        async with client(here) as one:
            one.wire.client_says(LOGIN + b"RETR 1\r\nDELE 1\r\nQUIT\r\n")
            one.wire.client_ends()
            said = await end(one)
        assert sample_message(1) in said
        assert said.endswith(b"+OK Goodbye\r\n")
        assert await messages_of(here) == 0

    in_world(tmp_path, template, act)


def test_what_leaves_is_an_event(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await fill(here)
        heard: list[Event] = []
        here.services.events.subscribe(heard.append)
        async with logged_in(here) as one:
            await one.ask(b"DELE 2\r\n")
            assert not [each for each in heard if each.kind == STORE_EXPUNGE]
            await one.say(b"QUIT\r\n")
            await end(one)
        (gone,) = [each for each in heard if each.kind == STORE_EXPUNGE]
        assert str(gone.data["messages"]) == "INBOX/2"

    in_world(tmp_path, template, act)


# What other clients do meanwhile.


def test_what_imap_expunges_is_gone_and_nothing_else_moves(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await fill(here)
        async with logged_in(here) as one:
            before = await one.ask(b"LIST\r\n") + await one.ask(b"UIDL\r\n")
            await here.expunge([2])
            await here.deliver(sample_message(4))
            assert await one.ask(b"RETR 2\r\n") == b"-ERR Another client has removed this message\r\n"
            assert await one.ask(b"TOP 2 0\r\n") == b"-ERR Another client has removed this message\r\n"
            assert unstuffed(await one.ask(b"RETR 3\r\n")) == sample_message(3)
            assert await one.ask(b"LIST\r\n") + await one.ask(b"UIDL\r\n") == before
            await one.ask(b"DELE 2\r\nDELE 3\r\n")
            await one.say(b"QUIT\r\n")
            assert await end(one) == b"+OK Goodbye\r\n"
        assert await messages_of(here) == 2

    in_world(tmp_path, template, act)


def test_a_unique_id_stays_with_its_message(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await fill(here)
        async with logged_in(here) as one:
            first = (await one.ask(b"UIDL\r\n")).split(b"\r\n")
        await here.expunge([1])
        await here.deliver(sample_message(4))
        async with logged_in(here) as one:
            second = (await one.ask(b"UIDL\r\n")).split(b"\r\n")
        ids = [[line.split()[1] for line in lines[1:-2]] for lines in (first, second)]
        assert ids[1][:2] == ids[0][1:]
        assert ids[1][2] not in ids[0]

    in_world(tmp_path, template, act)


# Messages as streams.


def test_the_size_is_what_retr_sends(tmp_path: Path, template: Path) -> None:
    prefix = b"Return-Path: <x@example.net>\r\n"

    async def act(here: World) -> None:
        contents = [sample_message(1), b"Subject: x\r\n\r\n.\r\n..\r\n", LARGE]
        for content in contents:
            await here.deliver(content, prefix=prefix)
        async with logged_in(here) as one:
            listed = (await one.ask(b"LIST\r\n")).splitlines()[1:-1]
            for number, content in enumerate(contents, 1):
                sent = await one.ask(b"RETR %d\r\n" % number)
                assert unstuffed(sent) == prefix + content
                assert sent.startswith(b"+OK %d octets\r\n" % len(prefix + content))
                assert listed[number - 1] == b"%d %d" % (number, len(prefix + content))

    in_world(tmp_path, template, act)


def test_a_large_message_waits_for_the_client_to_read(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await here.deliver(LARGE)
        async with logged_in(here) as one:
            written: list[int] = []
            write = one.wire.write

            def full(data: bytes) -> None:
                written.append(len(data))
                one.wire.channel.stop_writing()
                write(data)

            one.wire.write = full  # type: ignore[method-assign]  # a peer that reads one piece at a time
            await one.say(b"RETR 1\r\n")
            seen = 0
            while not one.wire.output.endswith(b"\r\n.\r\n"):
                while len(written) == seen:
                    await asyncio.sleep(0)
                assert len(written) <= seen + 2  # the status line goes with the first piece
                seen = len(written)
                one.wire.channel.go_on_writing()
            assert max(written) < 320 << 10
            assert unstuffed(bytes(one.wire.output)) == LARGE
            one.wire.output.clear()

    in_world(tmp_path, template, act)


def test_pipelined_messages_wait_for_the_client_to_read(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        content = sample_message(1) + random.Random(1).randbytes(30_000).hex().encode() + b"\r\n"
        await here.deliver(content)
        async with logged_in(here) as one:
            write = one.wire.write

            def full(data: bytes) -> None:
                one.wire.channel.stop_writing()
                write(data)

            one.wire.write = full  # type: ignore[method-assign]  # a peer that reads only when it is let
            one.wire.channel.idle.clear()
            one.wire.client_says(b"RETR 1\r\n" * 50)
            for _ in range(500):  # the message is a row, so nothing but the loop has to turn
                await asyncio.sleep(0)
            assert 0 < len(one.wire.output) < 3 * len(content)
            one.wire.write = write  # type: ignore[method-assign]
            one.wire.channel.go_on_writing()
            assert (await one.heard()).count(b"\r\n.\r\n") == 50

    in_world(tmp_path, template, act)


def test_a_client_that_goes_away_in_a_large_message_frees_the_maildrop(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await here.deliver(LARGE)
        async with logged_in(here) as one:
            one.wire.channel.stop_writing()
            await one.say(b"RETR 1\r\n")
            while not one.wire.output:
                await asyncio.sleep(0)
            one.wire.channel.closed = True
            one.wire.channel.go_on_writing()
            await end(one)
        async with logged_in(here) as one:
            assert b"+OK 1 " in await one.ask(b"STAT\r\n")

    in_world(tmp_path, template, act)


def test_bare_newlines_and_a_missing_last_one_never_end_the_message_early(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await here.deliver(b"Subject: x\n\n.\nDELE 1\r.\rend")
        async with logged_in(here) as one:
            sent = await one.ask(b"RETR 1\r\n")
            assert unstuffed(sent) == b"Subject: x\r\n\r\n.\r\nDELE 1\r\n.\r\nend\r\n"

    in_world(tmp_path, template, act)


def files_of(here: World) -> list[Path]:
    return [path for path in (here.folder / "blobs").rglob("*") if path.is_file()]


def test_octets_that_cannot_be_read_are_an_error_before_the_message_begins(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await here.deliver(LARGE)
        (file,) = files_of(here)
        file.unlink()
        async with logged_in(here) as one:
            assert (await one.ask(b"RETR 1\r\n")).startswith(b"-ERR [SYS/TEMP] ")
            assert await one.ask(b"NOOP\r\n") == b"+OK Done\r\n"

    in_world(tmp_path, template, act)


def test_octets_that_end_too_soon_break_the_connection_off(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        heard: list[Event] = []
        here.services.events.subscribe(heard.append)
        await here.deliver(LARGE)
        (file,) = files_of(here)
        file.write_bytes(LARGE[: len(LARGE) // 2])
        async with logged_in(here) as one:
            await one.say(b"RETR 1\r\n")
            said = await end(one)
            assert one.wire.closed
        assert not said.endswith(b"\r\n.\r\n")
        assert b"-ERR" not in said
        assert [each for each in heard if each.kind == FAULT]

    in_world(tmp_path, template, act)


@pytest.mark.slow
def test_a_maildrop_of_thousands_is_listed_whole(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await asyncio.gather(*(here.deliver(sample_message(number % 60)) for number in range(2500)))
        async with logged_in(here) as one:
            listed = (await one.ask(b"LIST\r\n")).splitlines()
            named = (await one.ask(b"UIDL\r\n")).splitlines()
        assert [int(line.split()[0]) for line in listed[1:-1]] == list(range(1, 2501))
        assert len({line.split()[1] for line in named[1:-1]}) == 2500

    in_world(tmp_path, template, act)


# What may not be.


def test_nothing_runs_that_came_in_clear_behind_stls(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here, tls=False) as one:
            one.wire.client_says(b"STLS\r\nUSER alice@example.org\r\n")
            assert await end(one) == b""
            assert one.wire.closed
            assert one.wire.tls_started == 0

    in_world(tmp_path, template, act)


def test_a_long_line_is_refused_and_the_session_goes_on(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            assert await one.ask(b"X" * 5_000_000 + b"\r\n") == b"-ERR Syntax: the line is too long\r\n"
            assert await one.ask(b"AUTH PLAIN\r\n") == b"+ \r\n"
            assert await one.ask(b"A" * 20_000 + b"\r\n") == b"-ERR Syntax: the line is too long\r\n"
            assert b"+OK Maildrop" in await one.ask(LOGIN)

    in_world(tmp_path, template, act)


def test_guessing_passwords_ends_the_session(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            one.wire.client_says(b"USER alice@example.org\r\nPASS wrong\r\n" * 4)
            assert (await end(one)).count(b"-ERR [AUTH] ") == 3
            assert one.wire.closed

    in_world(tmp_path, template, act, limits=Limits(login_tries=3))


def test_no_password_reaches_those_who_look_at_the_wire(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        heard: list[Event] = []
        here.services.events.subscribe(heard.append, lines=True)
        await here.deliver(b"Subject: private\r\n\r\nprivate\r\n")
        async with client(here) as one:
            await one.ask(b"PASS secret\r\nPASSsecret\r\nAUTH PLAIN c2VjcmV0\r\n")
            await one.ask(b"AUTH LOGIN\r\n")
            await one.ask(b"c2VjcmV0\r\n")
            await one.ask(b"c2VjcmV0\r\n")
            await one.ask(LOGIN + b"RETR 1\r\n")
        lines = b"\n".join(each.octets for each in heard)
        assert b"PASS ***" in lines
        assert [each for each in heard if each.kind == LINE_IN and each.octets == b"RETR 1"]
        for secret in (b"secret", b"c2VjcmV0"):
            assert secret not in lines
        mail = b"".join(each.octets for each in heard if each.kind == DATA_BLOCK)
        assert mail == b"Subject: private\r\n\r\nprivate\r\n"
        assert lines.count(b"private") == mail.count(b"private")  # in no line of the dialogue

    in_world(tmp_path, template, act)


def test_every_capability_that_names_a_command_has_it(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here, tls=False) as one:
            announced = {line.split()[0].decode() for line in (await one.ask(b"CAPA\r\n")).splitlines()[1:-1]}
        async with client(here) as other:
            announced |= {line.split()[0].decode() for line in (await other.ask(b"CAPA\r\n")).splitlines()[1:-1]}
        no_command = {"RESP-CODES", "AUTH-RESP-CODE", "PIPELINING", "EXPIRE", "IMPLEMENTATION"}
        needs = {"SASL": "AUTH"}
        assert {needs.get(each, each) for each in announced - no_command} <= set(dialect().commands)

    in_world(tmp_path, template, act)


async def _ask_all(one: Client, lines: list[bytes]) -> bytes:
    return b"".join([await one.ask(line + b"\r\n") for line in lines])


def test_pipelined_commands_are_answered_as_one_by_one(tmp_path: Path, template: Path) -> None:
    lines = [b"STAT", b"LIST", b"RETR 1", b"BOGUS", b"DELE 1", b"LIST 1", b"TOP 2 1", b"RSET", b"UIDL"]

    async def act(here: World) -> None:
        await fill(here)
        async with logged_in(here) as one:
            single = await _ask_all(one, lines)
            one.wire.channel.idle.clear()
            one.wire.client_says(b"".join(line + b"\r\n" for line in lines))
            assert await one.heard() == single

    in_world(tmp_path, template, act)
