"""IDLE: changes are told as they happen (RFC 2177)."""

import asyncio
from typing import Any

from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.imap.extensions.extension import Extension
from mailhost.imap.grammar import Reader, no_arguments
from mailhost.imap.responses import Status, ok
from mailhost.imap.session import IMAPSession
from mailhost.imap.values import LOGGED_IN

GO_ON = b"+ idling\r\n"
DONE = b"DONE"
STILL_HERE = ok("Still here").line()


async def run(session: IMAPSession, _: None) -> Status:
    """Until the client says DONE. It is as silent as the connection's deadline allows, and no longer."""
    await session.prompt(GO_ON)
    session.channel.at_rest = True
    line = asyncio.ensure_future(session.rest_of_line())
    try:
        while not line.done():
            await _tell(session)
            if session.ended:
                break
            if not await _something(session, line):
                session.write(STILL_HERE)
    finally:
        session.channel.at_rest = False
        line.cancel()
    if not line.done():
        return ok("IDLE ended")
    if line.result().strip().upper() != DONE:
        raise SyntaxProblem("DONE was expected")
    return ok("IDLE completed")


async def _tell(session: IMAPSession) -> None:
    session.changed.clear()
    await session.tell(COMMAND)
    await session.channel.drain()


async def _something(session: IMAPSession, line: "asyncio.Future[bytes]") -> bool:
    """Wait for the client's line, or for something to tell; not too long, for routers forget a connection on which nothing goes."""
    news = asyncio.ensure_future(session.changed.wait())
    waiting: list[asyncio.Future[Any]] = [line, news]
    try:
        notice = session.settings.idle_notice.total_seconds()
        done, _ = await asyncio.wait(waiting, timeout=notice, return_when=asyncio.FIRST_COMPLETED)
    finally:
        news.cancel()
    return bool(done)


COMMAND: Command[IMAPSession, Reader, Status] = Command("IDLE", LOGGED_IN, no_arguments, run, rfc=2177)
EXTENSION = Extension("IDLE", rfc=2177, commands=(COMMAND,))
