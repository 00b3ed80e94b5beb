"""What long commands may hold of the server: its memory, its time, its loop."""

import asyncio
import gc
import threading
from pathlib import Path
from typing import Any

import pytest

from mailhost.conversation.services import Limits
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, MailboxId, UidValidity, fresh
from mailhost.imap import fetching, search_text, searching
from mailhost.imap.searching import Candidate
from mailhost.store import mailboxes, messages
from tests.transcripts.world import World

from .talk import in_world, logged_in


def test_a_search_keeps_no_rows_of_pages_that_it_has_left(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(searching, "FIRST_PAGE", 1)
    monkeypatch.setattr(searching, "PAGE", 2)
    kept: list[int] = []

    async def act(here: World) -> None:
        for _ in range(6):
            await here.deliver(b"Subject: hello\r\n\r\nbody\r\n")
        database, original = here.services.database, here.services.database.read

        async def counted(operation: Any, *arguments: Any) -> Any:
            if operation is messages.locate:
                kept.append(sum(isinstance(each, Candidate) and each.located is not None for each in gc.get_objects()))
            return await original(operation, *arguments)

        async with logged_in(here, selected="INBOX") as one:
            monkeypatch.setattr(database, "read", counted)
            assert b"* SEARCH 1 2 3 4 5 6\r\n" in await one.ask(b"a SEARCH SUBJECT hello LARGER 3 BODY bod\r\n")
        assert kept == [0, 0, 0, 0]

    in_world(tmp_path, template, act)


@pytest.mark.parametrize(("option", "read"), [(b"MIN", 16), (b"MAX", 16), (b"COUNT", 40), (b"ALL", 40)])
def test_who_asks_for_one_end_does_not_wait_for_the_other(
    option: bytes, read: int, tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    located: list[int] = []

    async def act(here: World) -> None:
        for _ in range(40):
            await here.deliver(b"Subject: hello\r\n\r\nbody\r\n")
        database, original = here.services.database, here.services.database.read

        async def counted(operation: Any, *arguments: Any) -> Any:
            if operation is messages.locate:
                located.extend(arguments[1])
            return await original(operation, *arguments)

        async with logged_in(here, selected="INBOX") as one:
            monkeypatch.setattr(database, "read", counted)
            assert b"a OK" in await one.ask(b"a SEARCH RETURN (%b) SUBJECT hello\r\n" % option)
        assert len(located) == read

    in_world(tmp_path, template, act)


HOSTILE = [b"=?utf-8?Q?=E5?= =?gbk?Q?=B7?= ", b"=?x%d?B?###?= ", b"=?", b"\xff", b";a*0*=", b'"(']


@pytest.mark.parametrize("text", HOSTILE)
def test_no_header_holds_the_loop(text: bytes, tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is long is decoded and compared in threads: in the loop never more than some octets at a time."""
    worked: list[int] = []
    loop_thread = threading.get_ident()
    original = search_text.folded_fields

    def watched(block: bytes, names: Any) -> Any:
        if threading.get_ident() == loop_thread:
            worked.append(len(block))
        return original(block, names)

    async def act(here: World) -> None:
        field = (text * (64 << 10))[: 64 << 10]
        await here.deliver(b"Subject: " + field + b"\r\nContent-Type: x/y" + field + b"\r\n\r\nbody\r\n")
        async with logged_in(here, selected="INBOX") as one:
            monkeypatch.setattr(searching, "folded_fields", watched)
            assert b"* SEARCH\r\n" in await one.ask(b"a SEARCH TEXT nowhere\r\n")
            assert b"* SEARCH\r\n" in await one.ask(b"a SEARCH SUBJECT nowhere\r\n")
            assert b"* SEARCH\r\n" in await one.ask(b"a SEARCH HEADER X-Nowhere nowhere\r\n")
        assert max(worked, default=0) <= searching.QUICK_OCTETS

    in_world(tmp_path, template, act)


@pytest.mark.slow
def test_ten_thousand_mailboxes_are_listed_in_turns(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another session is answered meanwhile, again and again."""

    def many(tx: Transaction, account: AccountId) -> None:
        for number in range(10_000):
            mailboxes.create(tx, account, MailboxId(fresh()), f"Box {number % 100}/{number}", UidValidity(number + 1))

    async def act(here: World) -> None:
        await here.services.database.write(many, await here.account())
        turns = 0

        async def others() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        async with logged_in(here) as one:
            other = asyncio.create_task(others())
            try:
                await one.say(b'a LIST "" "*x %*1"\r\n')
                async with asyncio.timeout(30):
                    while b"a OK" not in one.wire.output:
                        one.wire.spoke.clear()
                        await one.wire.spoke.wait()
            finally:
                other.cancel()
            assert one.wire.output.count(b"* LIST") == 1_010
        assert turns > 10

    in_world(tmp_path, template, act)


def test_mailboxes_are_bounded_in_number(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with logged_in(here) as one:
            assert b"a OK" in await one.ask(b"a CREATE One\r\n")
            assert b"b NO [LIMIT]" in await one.ask(b"b CREATE Two/Three\r\n")
            assert b"c OK" in await one.ask(b"c CREATE Two\r\n")
            assert b"d NO [LIMIT]" in await one.ask(b"d CREATE Three\r\n")
            assert b"e NO [LIMIT]" in await one.ask(b"e RENAME One Four/One\r\n")
            assert b"f NO [LIMIT]" in await one.ask(b"f RENAME INBOX Old\r\n")
            assert b"g OK" in await one.ask(b"g RENAME One Five\r\n")
            assert b"h OK" in await one.ask(b"h DELETE Five\r\n")
            for number in range(
                20
            ):  # names of mailboxes that are gone stay on the list of subscriptions, within measure
                assert b"i OK" in await one.ask(b"i CREATE Box%d\r\n" % number)
                assert b"i OK" in await one.ask(b"i DELETE Box%d\r\n" % number)
            assert (await one.ask(b'k LSUB "" "*"\r\n')).count(b"* LSUB") == 16
            assert b"l OK" in await one.ask(b"l CREATE Last\r\n")
            assert b"m NO [LIMIT]" in await one.ask(b"m SUBSCRIBE Last\r\n")
            assert b"n OK" in await one.ask(b"n UNSUBSCRIBE Box0\r\nn SUBSCRIBE Last\r\n")
            said = await one.ask(b'j LIST "" "*"\r\n')
            assert said.count(b"* LIST") == 8

    in_world(tmp_path, template, act, limits=Limits(most_mailboxes=8))


def test_a_fetch_for_a_client_that_is_gone_reads_no_further(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "PAGE_OF_BODIES", 1)
    read: list[Any] = []

    async def act(here: World) -> None:
        for _ in range(3):
            await here.deliver(b"Subject: hello\r\n\r\nbody\r\n")
        database, original = here.services.database, here.services.database.read

        async def counted(operation: Any, *arguments: Any) -> Any:
            read.append(operation)
            return await original(operation, *arguments)

        async with logged_in(here, selected="INBOX") as one:
            monkeypatch.setattr(database, "read", counted)
            one.wire.channel.closed = True
            await one.say(b"a FETCH 1:* BODY.PEEK[]\r\n")
        assert read.count(messages.locate) == 1

    in_world(tmp_path, template, act)


def test_an_appended_message_of_many_parts_is_not_scanned_in_the_loop(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_threads: list[bool] = []
    parts = b"Content-Type: multipart/mixed; boundary=x\r\n\r\n" + b"--x\r\n" * 1000

    async def act(here: World) -> None:
        original = here.services.blobs.in_thread

        async def spied(call: Any) -> Any:
            in_threads.append(True)
            return await original(call)

        monkeypatch.setattr(here.services.blobs, "in_thread", spied)
        async with logged_in(here) as one:
            assert (await one.ask(b"a APPEND INBOX {%d}\r\n" % len(parts))).startswith(b"+ ")
            assert b"a OK" in await one.ask(parts + b"\r\n")
        assert in_threads

    in_world(tmp_path, template, act)
