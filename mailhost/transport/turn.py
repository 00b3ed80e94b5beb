"""One turn of the loop, shared: fifty conversations with a piece of a message each would hold it for fifty pieces' time."""

import asyncio
import time

TURN_SECONDS = 0.004
"""For the work of all who share; the longest piece comes on top."""


class Turn:
    """Whoever has a piece of work of some tenths of a millisecond waits for a turn with time left."""

    __slots__ = ("_begun", "_loop")

    def __init__(self) -> None:
        self._begun: float | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def take(self) -> None:
        """At once, or some turns later: in the order of asking."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._begun = loop, None
        while self._begun is not None and time.perf_counter() - self._begun > TURN_SECONDS:  # noqa: ASYNC110 - turns are waited for
            await asyncio.sleep(0)
        if self._begun is None:
            self._begun = time.perf_counter()
            loop.call_soon(self._end)

    def _end(self) -> None:
        """Called at the beginning of the next turn, before those who wait."""
        self._begun = None


TURN = Turn()
"""The loop's: there is one in a process."""
