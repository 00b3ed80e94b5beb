"""An SMTP client over a memory channel, in a small world of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from mailhost.smtp.session import SMTPSettings
from tests.transcripts.player import Client
from tests.transcripts.world import DOMAIN, World, world


def in_world(folder: Path, template: Path, act: Callable[[World], Awaitable[None]], **settings: Any) -> None:
    """Run `act` in a fresh world."""

    async def run() -> None:
        async with world(folder / "data", template=template, **settings) as here:
            await act(here)

    asyncio.run(run())


@contextlib.asynccontextmanager
async def client(here: World, *, tls: bool = True, **settings: Any) -> AsyncIterator[Client]:
    """Somebody who has said EHLO; `settings` are fields of SMTPSettings."""
    one = Client("smtp", here, tls, SMTPSettings(**settings))
    try:
        assert (await one.heard()).startswith(b"220 ")
        assert b"250 " in await one.ask(b"EHLO client.example.net\r\n")
        yield one
    finally:
        await one.leave()


async def begin(one: Client, *users: str, parameters: str = "", command: bytes = b"DATA\r\n") -> None:
    """A transaction up to 354; or, without a command, up to where the message may come."""
    assert (await one.ask(f"MAIL FROM:<eve@example.net>{parameters}\r\n".encode())).startswith(b"250 ")
    for user in users:
        assert (await one.ask(f"RCPT TO:<{user}@{DOMAIN}>\r\n".encode())).startswith(b"250 ")
    if command:
        assert (await one.ask(command)).startswith(b"354 ")


async def messages_of(here: World, user: str) -> int:
    return (await here.mailbox("INBOX", user)).messages
