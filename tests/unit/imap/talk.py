"""An IMAP client over a memory channel, in a small world of its own."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.transcripts.player import PATIENCE, Client
from tests.transcripts.world import DOMAIN, PASSWORD, World, world

LOGIN = f"l LOGIN alice@{DOMAIN} {PASSWORD}\r\n".encode()
_LITERAL = re.compile(rb"(BODY\[[^\]]*\](?:<\d+>)?) (?:\{(\d+)\}\r\n|NIL)")


def in_world(folder: Path, template: Path, act: Callable[[World], Awaitable[None]], **settings: Any) -> None:
    """Run `act` in a fresh world."""

    async def run() -> None:
        async with world(folder / "data", template=template, **settings) as here:
            await act(here)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def client(here: World, *, tls: bool = True) -> AsyncIterator[Client]:
    """Somebody who has heard the greeting."""
    one = Client("imap", here, tls)
    try:
        assert (await one.heard()).startswith(b"* OK ")
        yield one
    finally:
        await one.leave()


@contextlib.asynccontextmanager
async def logged_in(here: World, *, selected: str = "") -> AsyncIterator[Client]:
    async with client(here) as one:
        assert b"l OK" in await one.ask(LOGIN)
        if selected:
            assert b"s OK" in await one.ask(f"s SELECT {selected}\r\n".encode())
        yield one


async def end(one: Client) -> bytes:
    """What is said until the conversation has ended."""
    async with asyncio.timeout(PATIENCE):
        await asyncio.wait([one.task])
    said = bytes(one.wire.output)
    one.wire.output.clear()
    return said


async def bodies(one: Client, what: bytes) -> dict[bytes, bytes | None]:
    """The octets of each BODY[...] that a FETCH answers with."""
    said = await one.ask(b"f FETCH " + what + b"\r\n")
    found: dict[bytes, bytes | None] = {}
    at = 0
    while literal := _LITERAL.search(said, at):
        at = literal.end() + int(literal[2] or 0)
        found[literal[1]] = said[literal.end() : at] if literal[2] else None
    assert b"f OK" in said[at:], said[-300:]
    return found
