"""The time of the day, and waiting for it: what a test sets as it likes."""

import asyncio
from contextlib import suppress

from mailhost.ids import Millis, now


class Clock:
    """The machine's own."""

    def now(self) -> Millis:
        return now()

    async def wait(self, event: asyncio.Event, until: Millis | None) -> None:
        """Until the event is set or the moment has come; None is no moment."""
        left = None if until is None else max(until - self.now(), 0) / 1000
        with suppress(TimeoutError):
            await asyncio.wait_for(event.wait(), left)
