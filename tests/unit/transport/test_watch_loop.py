"""The loop's watcher: it tells of work that kept everybody waiting, and of how much of that was our own."""

import asyncio
import time

from mailhost.transport.reactor import LATE_SECONDS, TICK_SECONDS, watch_loop


def compute(seconds: float) -> None:
    """Until this process itself has used so much."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass


def test_a_block_is_told_with_the_cpu_time_that_it_took() -> None:
    told: list[tuple[float, float]] = []

    async def run() -> None:
        heard = asyncio.Event()

        def blocked(late: float, used: float) -> None:
            told.append((late, used))
            heard.set()

        watcher = asyncio.create_task(watch_loop(blocked))
        await asyncio.sleep(0)  # it has begun to wait for its tick
        compute(3 * LATE_SECONDS + TICK_SECONDS)
        await heard.wait()
        watcher.cancel()

    asyncio.run(run())
    late, used = told[0]
    assert late > LATE_SECONDS
    assert used >= 3 * LATE_SECONDS
