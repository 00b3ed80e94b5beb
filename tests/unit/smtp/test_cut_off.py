"""The server ends while a message is being committed: the client hears 250, or it would send the message again."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from tests.transcripts.world import World

from .talk import begin, client, in_world, messages_of

MESSAGE = b"Subject: hello\r\n\r\nHello\r\n.\r\n"


def test_a_commit_under_way_is_answered(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Database.write

    async def act(here: World) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(self: Database, operation: Any, *arguments: Any) -> Any:
            begun.set()
            await go_on.wait()
            return await write(self, operation, *arguments)

        async with client(here) as one:
            await begin(one, "alice")
            monkeypatch.setattr(Database, "write", slowly)
            await one.say(MESSAGE)
            await begun.wait()
            one.task.cancel()
            await asyncio.sleep(0)
            go_on.set()
            await one.task
            assert bytes(one.wire.output).startswith(b"250 2.0.0 Accepted as ")
            assert one.wire.closed
        monkeypatch.undo()
        assert await messages_of(here, "alice") == 1

    in_world(tmp_path, template, act)


def test_a_commit_that_fails_then_is_a_451(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def act(here: World) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def fails(self: Database, operation: Any, *arguments: Any) -> Any:
            begun.set()
            await go_on.wait()
            raise CommitFailed("the disk is full")

        async with client(here) as one:
            await begin(one, "alice")
            monkeypatch.setattr(Database, "write", fails)
            await one.say(MESSAGE)
            await begun.wait()
            one.task.cancel()
            await asyncio.sleep(0)
            go_on.set()
            await one.task
            assert bytes(one.wire.output).startswith(b"451 ")
            assert one.wire.closed

    in_world(tmp_path, template, act)
