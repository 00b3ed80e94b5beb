"""Sessions under clients that mean no good, and connections that break."""

import asyncio
import base64
from pathlib import Path

import pytest

from mailhost.conversation.services import Limits
from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.database.sqlite import SQLiteEngine
from mailhost.events.event import Event
from mailhost.ids import Uid
from mailhost.store import flags
from mailhost.store.flags import FlagChange
from mailhost.store.index import MailboxIndex
from mailhost.store.values import FlagAction, Flags, MailboxKey, SystemFlag
from tests.transcripts.player import PATIENCE, Client
from tests.transcripts.world import World, sample_message
from tests.unit.imap.talk import LOGIN, client, end, in_world, logged_in


def files(here: World) -> list[Path]:
    return [path for path in (here.folder / "blobs").rglob("*") if path.is_file()]


@pytest.mark.parametrize("line", [b"(" * (5 << 20), b"x" * (1 << 20) + b" NOOP", b"a SEARCH " + b"(" * (5 << 20)])
def test_a_line_without_measure_is_skipped_and_the_session_goes_on(line: bytes, tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with logged_in(here, selected="INBOX") as one:
            for start in range(0, len(line), 64 << 10):
                await one.say(line[start : start + (64 << 10)])
                await one.rest()
                assert len(one.wire.channel._input) <= 256 << 10
            assert b" BAD " in await one.ask(b"\r\n")
            assert await one.ask(b"b NOOP\r\n") == b"b OK NOOP completed\r\n"

    in_world(tmp_path, template, act)


def test_what_came_in_clear_behind_starttls_is_never_run(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here, tls=False) as one:
            one.wire.client_says(b"a STARTTLS\r\nb NOOP\r\n")
            assert await end(one) == b""
            assert one.wire.closed
            assert not one.wire.tls_started

    in_world(tmp_path, template, act)


@pytest.mark.parametrize(
    "command",
    [b"a LOGIN {8193+}\r\n", b"a LOGIN {9999999999999999999+}\r\n", b"({5+}\r\n", b"a APPEND x{99999+} {5+}\r\n"],
)
def test_a_literal_that_comes_all_the_same_is_never_taken_for_commands(
    command: bytes, tmp_path: Path, template: Path
) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            said = await one.ask(command + LOGIN + b"b CAPABILITY\r\n")
            assert b" BAD " in said
            assert b"l OK" not in said

    in_world(tmp_path, template, act)


def test_a_second_literal_of_append_is_never_taken_for_commands(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with logged_in(here) as one:
            said = await one.ask(b"a APPEND INBOX {2+}\r\nhi {15+}\r\nx DELETE Sent\r\n\r\n")
            assert b"a BAD " in said
            assert b"x OK" not in said

    in_world(tmp_path, template, act)


def test_before_the_login_a_large_literal_is_not_even_asked_for(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            assert (await one.ask(b"a LOGIN {8193}\r\n")).startswith(b"a BAD ")
            assert (await one.ask(b"a LOGIN {8000}\r\n")).startswith(b"+ ")
            assert (await one.ask(b"x" * 8000 + b" {200}\r\n")).startswith(b"a BAD ")
            assert (await one.ask(b"b NOOP\r\n")).startswith(b"b OK ")

    in_world(tmp_path, template, act)


def test_an_unknown_command_gets_no_literal(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            assert (await one.ask(b"a FROB {5}\r\n")).startswith(b"a BAD ")
            assert (await one.ask(b"a APPEND INBOX {5}\r\n")).startswith(b"a BAD ")

    in_world(tmp_path, template, act)


def test_too_many_mistakes_end_the_session(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            for _ in range(Limits().most_errors):
                one.wire.client_says(b"a FROB\r\n")
            assert (await end(one)).endswith(b"* BYE Too many mistakes\r\n")

    in_world(tmp_path, template, act)


def test_no_secret_is_in_an_event(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        heard: list[Event] = []
        here.services.events.subscribe(heard.append)
        here.services.events.subscribe(heard.append, lines=True)
        encoded = base64.b64encode(b"\0alice@example.org\0secret")
        for said in (
            LOGIN,
            b"a LOGIN alice@example.org {6}\r\nsecret\r\n",
            b'a login "alice@example.org" {6}\r\nsecret\r\n',
            b'a LOGIN"alice" secret\r\n',
            b"LOGIN alice secret\r\n",
            b"alice LOGIN  secret secret secret\r\n",
            b"a AUTHENTICATE PLAIN " + encoded + b"\r\n",
            b"a AUTHENTICATE PLAIN\r\n" + encoded + b"\r\n",
            b"a AUTHENTICATE LOGIN\r\nYWxpY2VAZXhhbXBsZS5vcmc=\r\nc2VjcmV0\r\n",
            b"a AUTHENTICATE  PLAIN  " + encoded + b"\r\n",
        ):
            async with client(here) as one:
                await one.ask(said)
        everything = b"\n".join(each.octets + repr(each).encode() for each in heard)
        assert b"LOGIN" in everything
        for secret in (b"secret", encoded, b"c2VjcmV0"):
            assert secret not in everything

    in_world(tmp_path, template, act)


@pytest.mark.parametrize("octets", [1000, 300_000])
def test_a_connection_lost_inside_a_literal_leaves_nothing(octets: int, tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        one = Client("imap", here, tls=True)
        await one.ask(LOGIN)
        await one.ask(b"a APPEND INBOX {%d}\r\n" % (octets + 1))
        await one.ask(b"x" * octets)
        assert bool(files(here)) == (octets > 64 << 10)
        await one.leave()
        assert files(here) == []
        assert (await here.mailbox("INBOX")).messages == 0

    in_world(tmp_path, template, act)


def test_a_reset_inside_a_literal_leaves_nothing(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        one = Client("imap", here, tls=True)
        await one.ask(LOGIN)
        await one.ask(b"a APPEND INBOX {400000}\r\n")
        await one.ask(b"x" * 300_000)
        one.task.cancel()
        await asyncio.wait([one.task])
        assert files(here) == []

    in_world(tmp_path, template, act)


def test_an_append_that_may_be_committed_keeps_its_file(tmp_path: Path, template: Path) -> None:
    """Nobody knows whether a failed commit is durable: the octets must not be gone if it is."""

    async def act(here: World) -> None:
        async def write(*_: object) -> None:
            raise CommitFailed("the disk is full")

        here.services.database.write = write  # type: ignore[method-assign,assignment]  # as a broken disk would
        async with logged_in(here) as one:
            await one.ask(b"a APPEND INBOX {300000}\r\n")
            assert (await one.ask(b"x" * 300_000 + b"\r\n")).startswith(b"a NO [UNAVAILABLE] ")
        assert len(files(here)) == 1

    in_world(tmp_path, template, act)


def test_nul_is_refused_and_the_literal_is_read_to_its_end(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with logged_in(here) as one:
            await one.ask(b"a APPEND INBOX {300000}\r\n")
            said = await one.ask(b"x" * 150_000 + b"\0" + b"x" * 149_999 + b"\r\nb NOOP\r\n")
            assert said.startswith(b"a NO [CANNOT] ")
            assert said.endswith(b"b OK NOOP completed\r\n")
            assert files(here) == []

    in_world(tmp_path, template, act)


def test_a_missing_file_is_a_fault_and_not_half_a_literal(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await here.deliver(b"Subject: large\r\n\r\n" + b"x" * 300_000)
        for path in files(here):
            path.unlink()
        async with logged_in(here, selected="INBOX") as one:
            said = await one.ask(b"a FETCH 1 BODY.PEEK[]\r\n")
            assert said.endswith(b"a NO [SERVERBUG] A mistake of the server, it was noted\r\n")
            assert b"{" not in said

    in_world(tmp_path, template, act)


def test_what_is_announced_is_the_same_before_and_after_login(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with client(here, tls=False) as one:
            before = set((await one.ask(b"a CAPABILITY\r\n")).splitlines()[0].split())
        async with logged_in(here) as one:
            after = set((await one.ask(b"a CAPABILITY\r\n")).splitlines()[0].split())
        assert before - after == {b"STARTTLS", b"LOGINDISABLED"}
        assert after <= before

    in_world(tmp_path, template, act)


def test_a_uid_command_may_name_a_message_that_has_just_come(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with logged_in(here, selected="INBOX") as one:
            placed = await here.deliver(sample_message(1))
            said = await one.ask(b"a UID FETCH %d FLAGS\r\n" % placed.uid)
            assert said.splitlines()[:3] == [b"* 1 EXISTS", b"* 1 RECENT", b"* 1 FETCH (UID 1 FLAGS (\\Recent))"]

    in_world(tmp_path, template, act)


def test_a_silent_store_still_tells_what_another_session_did(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await here.deliver(sample_message(1))
        async with logged_in(here, selected="INBOX") as one, logged_in(here, selected="INBOX") as other:
            await other.ask(b"a STORE 1 +FLAGS (\\Flagged)\r\n")
            said = await one.ask(b"a STORE 1 +FLAGS.SILENT (\\Seen)\r\n")
            assert b"\\Flagged" in said
            assert await other.ask(b"b NOOP\r\n") == b"* 1 FETCH (FLAGS (\\Seen \\Flagged))\r\nb OK NOOP completed\r\n"
            assert await one.ask(b"b NOOP\r\n") == b"b OK NOOP completed\r\n"

    in_world(tmp_path, template, act)


def test_a_change_made_while_a_store_waits_is_told_although_it_is_silent(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await here.deliver(sample_message(1))
        async with logged_in(here, selected="INBOX") as one, logged_in(here, selected="INBOX") as other:
            other.wire.client_says(b"a STORE 1 +FLAGS.SILENT (\\Flagged)\r\n")
            one.wire.client_says(b"a STORE 1 +FLAGS.SILENT (\\Seen)\r\n")
            said = [await one.ask(b"b NOOP\r\n"), await other.ask(b"b NOOP\r\n")]
            assert all(b"\\Seen \\Flagged" in each for each in said)

    in_world(tmp_path, template, act)


def test_what_another_process_changed_is_in_the_index_before_a_store_is_answered(
    tmp_path: Path, template: Path
) -> None:
    """The change of this process comes to an index that has missed one before it: flags must not be told from the old state."""

    async def act(here: World) -> None:
        for number in (1, 2):
            await here.deliver(sample_message(number))
        found = await here.mailbox("INBOX")
        elsewhere = Database(SQLiteEngine(here.folder / "mail.db"))
        refresh = here.services.indexes.refresh

        async def from_afar(index: MailboxIndex) -> None:
            for _ in range(50):  # as over a network: SQLite alone would have answered in the same turn
                await asyncio.sleep(0)
            await refresh(index)

        here.services.indexes.refresh = from_afar  # type: ignore[method-assign]
        async with logged_in(here, selected="INBOX") as one:
            key = MailboxKey(found.account, found.id)
            await elsewhere.write(flags.change, FlagChange(key, (Uid(2),), FlagAction.ADD, Flags(SystemFlag.FLAGGED)))
            said = await one.ask(b"a STORE 1:2 +FLAGS (\\Seen)\r\n")
            assert said.splitlines()[-3:] == [
                b"* 1 FETCH (FLAGS (\\Seen \\Recent))",
                b"* 2 FETCH (FLAGS (\\Seen \\Flagged \\Recent))",
                b"a OK STORE completed",
            ]
            await elsewhere.write(flags.change, FlagChange(key, (Uid(1),), FlagAction.ADD, Flags(SystemFlag.DELETED)))
            assert await one.ask(b"b EXPUNGE\r\n") == b"* 1 EXPUNGE\r\nb OK EXPUNGE completed\r\n"
        await elsewhere.close()

    in_world(tmp_path, template, act)


def test_a_slow_reader_of_news_is_told_what_its_silent_store_came_to(tmp_path: Path, template: Path) -> None:
    """While it reads what others changed, they change more: it cannot have worked that out."""

    async def act(here: World) -> None:
        for number in (1, 2):
            await here.deliver(sample_message(number))
        async with logged_in(here, selected="INBOX") as slow, logged_in(here, selected="INBOX") as other:
            await other.ask(b"a STORE 1 FLAGS.SILENT (\\Draft)\r\n")
            slow.wire.channel.stop_writing()
            slow.wire.client_says(b"b STORE 2 +FLAGS.SILENT (\\Seen)\r\n")
            async with asyncio.timeout(PATIENCE):
                while b"FETCH" not in slow.wire.output:
                    slow.wire.spoke.clear()
                    await slow.wire.spoke.wait()
            await other.ask(b"a STORE 2 FLAGS.SILENT (\\Flagged)\r\n")
            slow.wire.channel.go_on_writing()
            async with asyncio.timeout(PATIENCE):
                while b"b OK" not in slow.wire.output:
                    slow.wire.spoke.clear()
                    await slow.wire.spoke.wait()
            told = [line for line in bytes(slow.wire.output).splitlines() if b"FETCH" in line]
            assert told[-1] == b"* 2 FETCH (FLAGS (\\Seen \\Flagged \\Recent))"

    in_world(tmp_path, template, act)


@pytest.mark.parametrize("charset", ["GB18030", "GBK", "GB2312"])
def test_a_text_may_be_looked_for_in_the_octets_of_a_chinese_charset(
    charset: str, tmp_path: Path, template: Path
) -> None:
    async def act(here: World) -> None:
        await here.deliver("Content-Type: text/plain; charset=utf-8\r\n\r\n明天的发票\r\n".encode())
        await here.deliver(b"Subject: other\r\n\r\nNothing\r\n")
        wanted = "发票".encode(charset)
        async with logged_in(here, selected="INBOX") as one:
            asked = f"a SEARCH CHARSET {charset} BODY {{{len(wanted)}+}}\r\n".encode()
            assert (await one.ask(asked + wanted + b"\r\n")).startswith(b"* SEARCH 1\r\na OK ")

    in_world(tmp_path, template, act)
