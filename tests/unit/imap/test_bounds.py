"""What long commands may hold of the server: its memory, its time, its loop."""

from pathlib import Path
from typing import Any

import pytest

from mailhost.imap import fetching, searching
from mailhost.imap.search_keys import All
from mailhost.imap.searching import Candidate
from mailhost.store import messages
from tests.transcripts.world import World

from .talk import in_world, logged_in


def test_a_search_keeps_no_rows_of_pages_that_it_has_left(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Candidate] = []
    search = searching.search

    async def spied(session: Any, keys: All) -> list[Candidate]:
        found.extend(await search(session, keys))
        return found

    async def act(here: World) -> None:
        await here.deliver(b"Subject: hello\r\n\r\nbody\r\n")
        async with logged_in(here, selected="INBOX") as one:
            monkeypatch.setattr("mailhost.imap.commands.search.search", spied)
            assert b"* SEARCH 1\r\n" in await one.ask(b"a SEARCH SUBJECT hello LARGER 3 BODY bod\r\n")
        assert [each.located for each in found] == [None]

    in_world(tmp_path, template, act)


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
