"""Hints by LISTEN and NOTIFY, on a connection of their own, outside the transactions that they tell of."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from mailhost.database.hints import Hint, Hints, Kind, packed

CHANNEL = "mailhost"
RECONNECT_SECONDS = 1.0
MOST_WAITING = 1000
"""Texts kept while there is no connection; older ones are dropped."""


class PostgreSQLHints(Hints):
    """Several nodes on one database. A broken connection is made again, and then everything is looked at."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._engine = create_async_engine(url, poolclass=NullPool)
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        self._wake = asyncio.Event()
        self._closing = False
        self.listening = asyncio.Event()
        """Set while hints can be heard."""
        self.task = asyncio.create_task(self._follow(), name="hints")

    def send(self, lines: Sequence[str]) -> None:
        self._waiting.extend(packed(lines))
        self._wake.set()

    async def close(self) -> None:
        self._closing = True
        self._wake.set()
        self.task.cancel()
        await asyncio.wait([self.task])
        await self._engine.dispose()

    async def _follow(self) -> None:
        while not self._closing:
            try:
                async with self._connection() as connection:
                    await self._exchange(connection)
            except Exception:  # noqa: BLE001 - whatever broke it, it is made again
                await asyncio.sleep(RECONNECT_SECONDS)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        async with self._engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            driver.add_termination_listener(lambda _: self._wake.set())
            await driver.add_listener(CHANNEL, lambda _connection, _pid, _channel, text: self.received(text))
            self.listening.set()
            self.heard(Hint(Kind.ANYTHING))
            try:
                yield driver
            finally:
                self.listening.clear()
                driver.terminate()

    async def _exchange(self, driver: Any) -> None:
        while True:
            while self._waiting:
                await driver.execute("SELECT pg_notify($1, $2)", CHANNEL, self._waiting[0], timeout=RECONNECT_SECONDS)
                self._waiting.popleft()
            await self._wake.wait()
            self._wake.clear()
            if driver.is_closed():
                return
