"""A TCP proxy before PostgreSQL that can break the connection at COMMIT."""

import asyncio
import enum
from types import TracebackType
from typing import Self

from sqlalchemy import make_url


class Cut(enum.Enum):
    NOWHERE = enum.auto()
    BEFORE = enum.auto()
    """COMMIT does not arrive, and both ends see the connection closed."""
    AFTER = enum.auto()
    """COMMIT arrives, its answer does not."""
    SILENT = enum.auto()
    """COMMIT does not arrive, the client sees the connection closed, and the server sees nothing at all."""


class Proxy:
    def __init__(self, url: str) -> None:
        self._target = make_url(url)
        self.cut = Cut.NOWHERE
        self.is_away = False
        """Whether whoever connects finds nobody."""
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = self._target.set(port=self._server.sockets[0].getsockname()[1]).render_as_string(False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for writer in self._writers:
            writer.close()
        await asyncio.sleep(0)

    def cut_all(self) -> None:
        """Whatever is connected now."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    async def _connected(self, from_client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        assert self._target.port
        if self.is_away:
            to_client.close()
            return
        from_server, to_server = await asyncio.open_connection("127.0.0.1", self._target.port)
        self._writers += [to_client, to_server]
        back = asyncio.create_task(self._back(from_server, to_client))
        while octets := await from_client.read(1 << 16):
            if b"COMMIT" in octets and self.cut is not Cut.NOWHERE:
                await self._break(octets, to_client, to_server, from_server, back)
                return
            to_server.write(octets)
        to_server.close()

    async def _back(self, from_server: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        while octets := await from_server.read(1 << 16):
            to_client.write(octets)
        to_client.close()

    async def _break(
        self,
        octets: bytes,
        to_client: asyncio.StreamWriter,
        to_server: asyncio.StreamWriter,
        from_server: asyncio.StreamReader,
        back: "asyncio.Task[None]",
    ) -> None:
        cut, self.cut = self.cut, Cut.NOWHERE
        back.cancel()
        await asyncio.wait([back])
        if cut is Cut.AFTER:
            to_server.write(octets)
            await from_server.read(1)
        if cut is not Cut.SILENT:
            to_server.close()
        to_client.close()
