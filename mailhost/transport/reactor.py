"""The reactor: asyncio's, on uvloop where it is present; a coroutine is the whole program."""

import asyncio
import gc
import resource
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

SWITCH_INTERVAL = 0.0002
"""Seconds: so that the writer thread is not starved by a busy loop."""

TICK_SECONDS = 0.005
LATE_SECONDS = 0.010
"""For how long nobody may be kept waiting (design: the loop is never blocked for longer)."""

Program = Callable[[asyncio.Event], Awaitable[int]]


def run(program: Program) -> int:
    """Run `program` until it ends; SIGTERM and SIGINT set the event that it was given. Answers with its exit code."""
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    from twisted.internet import asyncioreactor

    asyncioreactor.install(loop)
    from twisted.internet import reactor

    codes: list[int] = []

    async def whole() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        try:
            codes.append(await program(stop))
        finally:
            reactor.stop()

    tasks = []
    reactor.callWhenRunning(lambda: tasks.append(loop.create_task(whole())))
    reactor.run(installSignalHandlers=False)  # type: ignore[call-arg]  # the interface leaves its argument out
    if tasks and not tasks[0].cancelled() and tasks[0].done() and (fault := tasks[0].exception()):
        raise fault
    return codes[0] if codes else 1


async def watch_loop(blocked: Callable[[float, float], object]) -> None:
    """Tell of each tick that came too late: by how much, and how much CPU this process used meanwhile, both in seconds.

    Where the CPU time is far below, the machine was busy with others, or the loop waited for the disk.
    """
    while True:
        due, used = time.perf_counter() + TICK_SECONDS, time.process_time()
        await asyncio.sleep(TICK_SECONDS)
        late = time.perf_counter() - due
        if late > LATE_SECONDS:
            blocked(late, time.process_time() - used)


def settle() -> None:
    """After start: what is loaded is never garbage (pauses of 27 to 57 ms without this)."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.collect()
    gc.freeze()


def open_files(wanted: int) -> int:
    """Raise this process's limit of open files as far as it may; answers with what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, max(wanted, 65536))), hard))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
