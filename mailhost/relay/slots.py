"""How many connections there are to all hosts together, and whether it is getting crowded."""

import asyncio
from types import TracebackType


class Slots:
    """Taken by `async with`."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0
        self._free = asyncio.Semaphore(most)

    @property
    def is_crowded(self) -> bool:
        """Whoever only keeps a connection for later gives way."""
        return self._taken * 2 > self.most

    async def __aenter__(self) -> None:
        await self._free.acquire()
        self._taken += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._taken -= 1
        self._free.release()
