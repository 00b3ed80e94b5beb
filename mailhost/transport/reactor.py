"""The reactor: asyncio's, on uvloop where it is present; a coroutine is the whole program."""

import asyncio
import gc
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from twisted.internet.asyncioreactor import AsyncioSelectorReactor
from twisted.internet.error import ConnectionLost
from twisted.internet.main import installReactor

from mailhost.config.problem import ConfigProblem

SWITCH_INTERVAL = 0.0002
"""Seconds: so that the writer thread is not starved by a busy loop."""

USEFUL_FILES = 65_536
TICK_SECONDS = 0.005
LATE_SECONDS = 0.010
"""For how long nobody may be kept waiting (design: the loop is never blocked for longer)."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What the administrator asks of the running program."""

    stop: asyncio.Event
    """SIGTERM or SIGINT: end well. So does SIGHUP when the terminal that the program was started in is gone."""
    at_once: asyncio.Event
    """SIGTERM or SIGINT again: wait for nobody."""
    reload: asyncio.Event
    """SIGHUP: read the settings anew."""


Program = Callable[[Signals], Awaitable[int]]


class Reactor(AsyncioSelectorReactor):
    """asyncio's reactor, which writes at once, and sees a reset also when octets came just before it.

    After a reset uvloop reads once more, and then never again; if that reading gave the octets, nobody would hear of the
    reset, and the conversation would last until its deadline.
    """

    def _readOrWrite(self, selectable: Any, read: bool) -> None:  # noqa: N802
        super()._readOrWrite(selectable, read)  # type: ignore[no-untyped-call]  # Twisted's own
        connected = getattr(selectable, "socket", None)
        if read and connected is not None and connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.callLater(0, self._lost, selectable, ConnectionLost(), True)  # type: ignore[no-untyped-call]  # Twisted's own

    def addWriter(self, writer: Any) -> None:  # noqa: N802
        """Octets go out at once, as many as the system takes: to be told first that it takes some costs a turn of the loop.

        A transport that asks without any (it is to be closed, or to connect) is told as before.
        """
        if getattr(writer, "_tempDataLen", 0) and writer not in self._writers:
            why = writer.doWrite()
            if why:
                self.callLater(0, self._lost, writer, why, False)  # type: ignore[no-untyped-call]  # Twisted's own
                return
            if not writer.dataBuffer:
                return
        super().addWriter(writer)  # type: ignore[no-untyped-call]  # Twisted's own

    def _lost(self, selectable: Any, why: object, was_read: bool) -> None:
        """A turn later: what was read last is read by its conversation first."""
        if getattr(selectable, "connected", False):
            self._disconnectSelectable(selectable, why, was_read)  # type: ignore[no-untyped-call]  # Twisted's own


def run(program: Program) -> int:
    """Run `program` until it ends; signals set the events that it was given. Answers with its exit code."""
    loop = _new_loop()
    asyncio.set_event_loop(loop)
    installReactor(Reactor(loop))
    from twisted.internet import reactor

    codes: list[int] = []

    async def whole() -> None:
        signals = Signals(asyncio.Event(), asyncio.Event(), asyncio.Event())
        _listen_to(signals, loop)
        try:
            codes.append(await program(signals))
        finally:
            reactor.stop()

    tasks = []
    reactor.callWhenRunning(lambda: tasks.append(loop.create_task(whole())))
    reactor.run(installSignalHandlers=False)  # type: ignore[call-arg]  # the interface leaves its argument out
    if tasks and not tasks[0].cancelled() and tasks[0].done() and (fault := tasks[0].exception()):
        raise fault
    return codes[0] if codes else 1


def _listen_to(signals: Signals, loop: asyncio.AbstractEventLoop) -> None:
    had_terminal = os.isatty(sys.stderr.fileno())

    def end() -> None:
        (signals.at_once if signals.stop.is_set() else signals.stop).set()

    def reload() -> None:
        gone = had_terminal and not os.isatty(sys.stderr.fileno())
        (signals.stop if gone else signals.reload).set()

    for number, act in ((signal.SIGTERM, end), (signal.SIGINT, end), (signal.SIGHUP, reload)):
        loop.add_signal_handler(number, act)


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


class TooFewOpenFiles(ConfigProblem):
    """The system allows fewer open files than the settings ask for."""


def need_open_files(wanted: int) -> None:
    """Raise this process's limit as far as it may. Raises `TooFewOpenFiles` when that is less than `wanted`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        with suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(wanted, USEFUL_FILES)), hard))
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if allowed < wanted:
        cure = "raise its limit (ulimit -n, LimitNOFILE=), or set this and most_connections of the listeners lower"
        raise TooFewOpenFiles("", "server.open_files", f"{wanted} are wanted, the system allows {allowed}; {cure}")


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
