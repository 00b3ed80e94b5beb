"""A long loop gives the others their turn."""

import asyncio
import time

TURN_SECONDS = 0.002


class Turn:
    """How long a loop has worked since it last let others go on."""

    __slots__ = ("_begun",)

    def __init__(self) -> None:
        self._begun = time.perf_counter()

    @property
    def is_over(self) -> bool:
        return time.perf_counter() - self._begun > TURN_SECONDS

    async def breathe(self) -> None:
        if self.is_over:
            await asyncio.sleep(0)
            self._begun = time.perf_counter()
