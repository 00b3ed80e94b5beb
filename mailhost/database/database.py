"""The database: group commit on the way in, committed state on the way out."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar, TypeVarTuple, overload

from mailhost.database.batch import Outcome, Steps, Write, run_batch
from mailhost.database.errors import CommitFailed, RunAgain
from mailhost.database.marks import ForMany
from mailhost.database.transaction import Transaction

T = TypeVar("T")
Q = TypeVar("Q")
A = TypeVar("A")
Ts = TypeVarTuple("Ts")

Listener = Callable[[Sequence[object]], None]

LARGEST_BATCH = 256
LARGEST_BATCH_OCTETS = 32 << 20
TURNS_TO_ASK_AGAIN = 2
"""Turns of the loop in which those just answered may ask again, and so join the next commit."""
MOST_TRIES = 8


class Engine(Protocol):
    """SQLite or PostgreSQL: where a read runs, and how one transaction is made durable."""

    async def read(self, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T: ...

    async def transact(self, work: Callable[[Transaction], Steps]) -> tuple[list[Outcome], list[object]]:
        """Run the steps and COMMIT durably.

        Raises `CommitFailed` for trouble of the database, `RunAgain` to be asked once more; the fault of an operation as it is.
        Whatever it raises, nothing of the batch is committed.
        """
        ...

    async def rest(self) -> None:
        """Between two batches, after the answers: time for a checkpoint."""
        ...

    async def close(self) -> None: ...


class Database:
    """A write is all or nothing, durable before it is answered, published before its writer hears of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._listeners: list[Listener] = []
        self._waiting: list[Write[Any]] = []
        self._under_way: list[Write[Any]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self.writer = asyncio.create_task(self._write_batches(), name="database writer")
        self.writer.add_done_callback(self._abandon)

    def subscribe(self, listener: Listener) -> None:
        """Each commit's changes go to `listener`, before the operation's caller goes on."""
        self._listeners.append(listener)

    async def read(self, operation: Callable[[Transaction, *Ts], T], *arguments: *Ts) -> T:
        return await self._engine.read(operation, arguments)

    @overload
    async def write(self, operation: ForMany[Q, A], request: Q, /) -> A: ...
    @overload
    async def write(self, operation: Callable[[Transaction, *Ts], T], /, *arguments: *Ts) -> T: ...
    async def write(self, operation: Any, /, *arguments: *Ts) -> Any:
        """Join the next durable commit. Cancelled while it waits, it never runs; later, it commits and nobody hears.

        Put no timeout around it: a 451 for committed mail is a duplicate. Raises what the operation refuses, and `CommitFailed`.
        """
        if self._closing or self.writer.done():
            raise CommitFailed("the database is closed")
        write: Write[Any] = Write(operation, arguments, asyncio.get_running_loop().create_future())
        self._waiting.append(write)
        self._wake.set()
        return await write.answer

    async def close(self) -> None:
        """Commit all that waits, then stop."""
        already, self._closing = self._closing, True
        self._wake.set()
        await asyncio.wait([self.writer])
        if not already:
            await self._engine.close()

    async def _write_batches(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            while batch := self._take():
                self._under_way = batch
                await self._commit(batch)
                self._under_way = []
                await self._engine.rest()
                for _ in range(TURNS_TO_ASK_AGAIN):
                    await asyncio.sleep(0)

    def _take(self) -> list[Write[Any]]:
        """The next batch. A long operation goes alone: nobody else waits for it, nor fails with it at its deadline."""
        alive = [write for write in self._waiting if not write.answer.done()]
        count = octets = 0
        for write in alive[:LARGEST_BATCH]:
            octets += write.octets
            if count and (octets > LARGEST_BATCH_OCTETS or write.is_long):
                break
            count += 1
            if write.is_long:
                break
        taken, self._waiting = alive[:count], alive[count:]
        return taken

    async def _commit(self, batch: list[Write[Any]]) -> None:
        try:
            outcomes, changes = await self._transact(batch)
        except CommitFailed as failure:
            for write in batch:
                fail(write.answer, CommitFailed(*failure.args))
        except Exception as fault:  # noqa: BLE001 - a fault in one operation must not take the others with it
            if len(batch) == 1:
                fail(batch[0].answer, fault)
                return
            for write in batch:
                await self._commit([write])
        else:
            self._publish(outcomes, changes)

    async def _transact(self, batch: list[Write[Any]]) -> tuple[list[Outcome], list[object]]:
        for _ in range(MOST_TRIES):
            try:
                return await self._engine.transact(lambda tx: run_batch(tx, batch))
            except RunAgain:
                continue
        raise CommitFailed(f"the database asked {MOST_TRIES} times to run again")

    def _publish(self, outcomes: list[Outcome], changes: list[object]) -> None:
        for listener in self._listeners if changes else ():
            try:
                listener(changes)
            except Exception as fault:  # noqa: BLE001 - committed is committed, whatever a listener does
                asyncio.get_running_loop().call_exception_handler({"message": "a listener failed", "exception": fault})
        for outcome in outcomes:
            if outcome.refused:
                fail(outcome.write.answer, outcome.value)
            else:
                settle(outcome.write.answer, outcome.value)

    def _abandon(self, _: asyncio.Task[None]) -> None:
        """The writer has ended, and nobody may wait for ever."""
        for write in (*self._under_way, *self._waiting):
            fail(write.answer, CommitFailed("the writer has stopped"))
        self._under_way, self._waiting = [], []


def settle(answer: asyncio.Future[Any], value: object) -> None:
    """What was committed stays, whether or not its session is still there to hear it."""
    if not answer.done():
        answer.set_result(value)


def fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():  # never StopIteration, which a future cannot carry: a generator has made it RuntimeError
        answer.set_exception(error)
