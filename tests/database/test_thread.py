"""The writer's thread: in order, and never left while it works."""

import asyncio
import threading

import pytest

from mailhost.database.thread import Thread


async def test_calls_run_in_the_order_of_asking_and_their_errors_come_back() -> None:
    thread, done = Thread("test"), []
    await asyncio.gather(*(thread.run(lambda n=n: done.append(n)) for n in range(50)))  # type: ignore[misc]
    assert done == list(range(50))
    with pytest.raises(ZeroDivisionError):
        await thread.run(lambda: 1 // 0)
    thread.shutdown()


async def test_whoever_is_cancelled_waits_until_the_call_is_done() -> None:
    thread, go, done = Thread("test"), threading.Event(), []

    def call() -> None:
        go.wait()
        done.append("done")

    task = asyncio.create_task(thread.run(call))
    for _ in range(3):
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    go.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done == ["done"]
    thread.shutdown()
