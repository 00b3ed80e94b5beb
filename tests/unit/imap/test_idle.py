"""IDLE (RFC 2177): what is told while nothing is asked, and when it ends."""

import asyncio
from datetime import timedelta
from pathlib import Path

from mailhost.imap.session import IMAPSettings
from tests.transcripts.player import PATIENCE, Client
from tests.transcripts.world import World, sample_message
from tests.unit.imap.talk import LOGIN, end, in_world, logged_in

STILL_HERE = b"* OK Still here\r\n"


async def heard(one: Client, wanted: bytes) -> None:
    """Wait until the server has said this, and take it."""
    async with asyncio.timeout(PATIENCE):
        while wanted not in one.wire.output:
            one.wire.spoke.clear()
            await one.wire.spoke.wait()
    del one.wire.output[: one.wire.output.index(wanted) + len(wanted)]


def test_a_client_that_waits_long_is_told_that_the_server_is_there(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        one = Client("imap", here, tls=True, settings=IMAPSettings(idle_notice=timedelta(milliseconds=1)))
        await one.ask(LOGIN)
        await one.ask(b"s SELECT INBOX\r\n")
        assert not one.wire.output
        assert (await one.ask(b"a IDLE\r\n")).startswith(b"+ ")
        for _ in range(3):
            await heard(one, STILL_HERE)
        await here.deliver(sample_message(1))
        await heard(one, b"* 1 EXISTS\r\n* 1 RECENT\r\n")
        await heard(one, STILL_HERE)
        said = await one.ask(b"DONE\r\n")
        assert said.replace(STILL_HERE, b"") == b"a OK IDLE completed\r\n"
        assert await one.ask(b"b NOOP\r\n") == b"b OK NOOP completed\r\n"
        await one.leave()

    in_world(tmp_path, template, act)


def test_notices_do_not_put_off_the_end(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        one = Client("imap", here, tls=True, settings=IMAPSettings(idle_notice=timedelta(milliseconds=2)))
        await one.ask(LOGIN)
        one.wire.channel.timeout = 0.05
        await one.say(b"a IDLE\r\n")
        said = await end(one)
        assert said.startswith(b"+ ")
        assert STILL_HERE in said
        assert said.endswith(b"* BYE [UNAVAILABLE] Silent for too long\r\n")
        assert b"a OK" not in said

    in_world(tmp_path, template, act)


def test_news_are_with_the_client_before_their_maker_has_its_answer(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        await here.deliver(sample_message(1))
        async with logged_in(here, selected="INBOX") as waiting, logged_in(here, selected="INBOX") as working:
            await waiting.ask(b"a IDLE\r\n")
            assert b"b OK" in await working.ask(b"b STORE 1 +FLAGS.SILENT (\\Seen)\r\n")
            await heard(waiting, b"* 1 FETCH (FLAGS (\\Seen \\Recent))\r\n")
            assert not waiting.wire.channel._output  # nothing waits for company

    in_world(tmp_path, template, act)


def test_a_client_that_goes_away_while_it_waits_leaves_no_task(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        async with logged_in(here, selected="INBOX") as one:
            before = asyncio.all_tasks()
            await one.ask(b"a IDLE\r\n")
            assert asyncio.all_tasks() - before
            one.wire.client_ends()
            await end(one)
        assert not asyncio.all_tasks() - before

    in_world(tmp_path, template, act)
