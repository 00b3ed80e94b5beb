"""A turn of the loop is shared: pieces of work beyond its time wait for the next one, and a timer gets in between."""

import asyncio
import time

from mailhost.transport.turn import TURN_SECONDS, Turn


def test_work_of_many_is_spread_over_turns_in_the_order_of_asking() -> None:
    turn, done, turns = Turn(), [], [0]

    def count_turns() -> None:
        turns[0] += 1
        asyncio.get_running_loop().call_soon(count_turns)

    async def work(number: int) -> None:
        await turn.take()
        until = time.perf_counter() + TURN_SECONDS
        while time.perf_counter() <= until:
            pass
        done.append((turns[0], number))

    async def many() -> None:
        count_turns()
        await asyncio.gather(*(work(number) for number in range(5)))

    for _ in range(2):  # the second loop is not held up by what the first one left
        done.clear()
        asyncio.run(many())
        assert [number for _, number in done] == list(range(5))
        assert len({in_turn for in_turn, _ in done}) == 5
