"""A POP3 client over a memory channel, in a small world of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.transcripts.player import PATIENCE, Client
from tests.transcripts.world import DOMAIN, PASSWORD, World, world

LOGIN = f"USER alice@{DOMAIN}\r\nPASS {PASSWORD}\r\n".encode()


def in_world(folder: Path, template: Path, act: Callable[[World], Awaitable[None]], **settings: Any) -> None:
    """Run `act` in a fresh world."""

    async def run() -> None:
        async with world(folder / "data", template=template, **settings) as here:
            await act(here)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def client(here: World, *, tls: bool = True) -> AsyncIterator[Client]:
    """Somebody who has heard the greeting."""
    one = Client("pop3", here, tls)
    try:
        assert (await one.heard()).startswith(b"+OK ")
        yield one
    finally:
        await one.leave()


@contextlib.asynccontextmanager
async def logged_in(here: World) -> AsyncIterator[Client]:
    async with client(here) as one:
        assert b"+OK Maildrop" in await one.ask(LOGIN)
        yield one


async def end(one: Client) -> bytes:
    """What is said until the conversation has ended."""
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([one.task])
    said = bytes(one.wire.output)
    one.wire.output.clear()
    return said


async def messages_of(here: World) -> int:
    return (await here.mailbox("INBOX")).messages
