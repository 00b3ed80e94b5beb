"""One thread that does what must wait, call by call; a hop to it and back costs a third of an executor's."""

import asyncio
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")


class Thread:
    """Runs calls in the order of asking."""

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[_Call | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    async def run(self, function: Callable[[], T]) -> T:
        """Whoever is cancelled meanwhile waits all the same: nobody else may touch what the call works on before it is done."""
        call = _Call(function)
        self._calls.put(call)
        cancelled: asyncio.CancelledError | None = None
        while not call.is_done:
            try:
                await call.told
            except asyncio.CancelledError as request:
                cancelled, call.told = request, call.loop.create_future()
        if cancelled is not None:
            raise cancelled
        if call.error is not None:
            raise call.error
        value: T = call.value
        return value

    def shutdown(self) -> None:
        """Do all that was asked for, then end. Waits: not for the loop's thread."""
        self._calls.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call.do()
            call.loop.call_soon_threadsafe(call.tell)


class _Call:
    """Its future is touched by the loop alone."""

    __slots__ = ("error", "function", "is_done", "loop", "told", "value")

    def __init__(self, function: Callable[[], Any]) -> None:
        self.function = function
        self.loop = asyncio.get_running_loop()
        self.told = self.loop.create_future()
        self.is_done = False
        self.value: Any = None
        self.error: BaseException | None = None

    def do(self) -> None:
        try:
            self.value = self.function()
        except BaseException as error:  # noqa: BLE001 - it is raised where the call was asked for
            self.error = error

    def tell(self) -> None:
        self.is_done = True
        if not self.told.done():
            self.told.set_result(None)
