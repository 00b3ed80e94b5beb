"""The server ends while a message is being committed: the client hears what came of it, or it would send the message again."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from tests.transcripts.world import World

from .talk import begin, client, in_world, messages_of

MESSAGE = b"Subject: hello\r\n\r\nHello\r\n.\r\n"
WRITE = Database.write


async def fails(*_: Any) -> Any:
    raise CommitFailed("the disk is full")


@pytest.mark.parametrize(
    ("commit", "said", "stored"), [(WRITE, b"250 2.0.0 Accepted as ", 1), (fails, b"451 ", 0)], ids=["250", "451"]
)
def test_a_commit_under_way_is_answered(
    tmp_path: Path,
    template: Path,
    monkeypatch: pytest.MonkeyPatch,
    commit: Callable[..., Awaitable[Any]],
    said: bytes,
    stored: int,
) -> None:
    async def act(here: World) -> None:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slowly(*arguments: Any) -> Any:
            begun.set()
            await go_on.wait()
            return await commit(*arguments)

        async with client(here) as one:
            await begin(one, "alice")
            monkeypatch.setattr(Database, "write", slowly)
            await one.say(MESSAGE)
            await begun.wait()
            one.task.cancel()
            await asyncio.sleep(0)
            go_on.set()
            await one.task
            assert bytes(one.wire.output).startswith(said)
            assert one.wire.closed
        monkeypatch.undo()
        assert await messages_of(here, "alice") == stored

    in_world(tmp_path, template, act)
