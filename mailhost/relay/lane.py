"""One destination: its jobs, and the few connections that carry them, each used again and again.

Nothing that happens here delays another destination. How many connections there may be grows with success and falls with failure.
Read `Lane` (jobs in, connections begun and ended) with `handover` (one message over one connection).
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from mailhost.queue.values import Share
from mailhost.relay.attempt import Connection, Connector, Trouble
from mailhost.relay.handover import BrokenOff, HandOver, Spent
from mailhost.relay.job import Job
from mailhost.relay.slots import Slots

FIRST_CONNECTIONS = 2
MOST_BREAKS = 3
"""Connections in a row that break off in the middle of a message. One may be that message's doing, and must not keep the others from
a host that is well; so many are the host's."""
GOODBYE = 1.0
"""Seconds for the reply to QUIT, at the end of all."""
LOW = 25
"""Jobs that are left when more are asked for."""


@dataclass(frozen=True, slots=True)
class LaneSettings:
    most_connections: int = 10
    """To one destination."""
    idle: timedelta = timedelta(seconds=3)
    """How long a connection is kept for the next message."""
    most_a_minute: int = 0
    """Messages to one destination; 0 sets no limit."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What all lanes share."""

    connector: Connector
    hand_over: HandOver
    slots: Slots
    wake: Callable[[], object] = lambda: None
    """Told when a lane gives its place to others."""


class Lane:
    """Kept while its destination has mail, and for its idle connections."""

    def __init__(self, destination: str, tools: Tools, settings: LaneSettings = LaneSettings()) -> None:
        self.destination = destination
        self._tools, self._settings = tools, settings
        self._idle = settings.idle.total_seconds()
        self._interval = 60 / settings.most_a_minute if settings.most_a_minute else 0.0
        self._next_turn = 0.0
        self._most = 1 if self._interval > 1 else settings.most_connections
        self._allowed = float(min(FIRST_CONNECTIONS, self._most))
        self._jobs: deque[Job] = deque()
        self._under_way = 0
        self._connections: set[asyncio.Task[Trouble | None]] = set()
        self._more = asyncio.Event()
        """Jobs have come; for connections that idle."""
        self._changed = asyncio.Event()
        self._is_ending = False
        self._fault: BaseException | None = None
        self._told: BaseException | None = None
        self.claimed: set[Share] = set()
        """What was claimed from, since all was settled."""
        self.trouble: Trouble | None = None
        """Why not even one connection was of use."""
        self.failures = 0
        """Times in a row that this was so."""
        self.is_doubtful = True
        """Whether nothing is known of it, or nothing good."""
        self._pacing = 0
        self._quitting: set[asyncio.Task[None]] = set()
        self.has_recovered = False
        """Whether it has ended with success, and nobody has looked yet."""

    # For whoever has jobs.

    def add(self, jobs: Iterable[Job]) -> None:
        self._jobs.extend(jobs)
        self._more.set()
        self._begin()

    def take_back(self) -> list[Job]:
        """The jobs that nobody has begun; the trouble is over with them."""
        jobs = list(self._jobs)
        self._jobs.clear()
        self.trouble = None
        return jobs

    @property
    def is_hungry(self) -> bool:
        return len(self._jobs) <= LOW and self.trouble is None

    @property
    def is_done(self) -> bool:
        return not self._jobs and not self._under_way and self._fault is None

    @property
    def is_asleep(self) -> bool:
        """Without jobs and connections."""
        return self.is_done and not self._connections

    async def changed(self) -> None:
        """Until there is something to look at. Raises what went wrong here."""
        if self._fault is None:
            await self._changed.wait()
        self._changed.clear()
        if self._fault is not None:
            self._told, self._fault = self._fault, None
            raise self._told

    def nudge(self) -> None:
        """There may be more for it."""
        self._changed.set()

    async def end(self, within: float) -> None:
        """What is under way may come to its end, for so long; nothing new begins, and nobody waits for what has not."""
        self._is_ending = True
        self._jobs.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._under_way:
                    self._changed.clear()
                    await self._changed.wait()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        if self._quitting:
            await asyncio.wait(self._quitting, timeout=GOODBYE)

    # Connections.

    def _begin(self) -> None:
        """As many as there are jobs for, and as are allowed."""
        if self._is_ending or self.trouble is not None:
            return
        while len(self._connections) < min(int(self._allowed), self._under_way + len(self._jobs)):
            task = asyncio.ensure_future(self._connection())
            self._connections.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Trouble | None]) -> None:
        self._connections.discard(task)
        if task.cancelled():
            return
        if (fault := task.exception()) is not None:
            self._fault = fault if fault is not self._told else None
        elif (trouble := task.result()) is None:
            self._begin()
        else:
            self._allowed = max(self._allowed / 2, 1)
            if self._connections:
                self._begin()
            elif self._jobs:
                self.failures += 1
                self.is_doubtful = True
                self.trouble = trouble
        self._changed.set()

    async def _connection(self) -> Trouble | None:
        """One connection after another, while there are jobs. Answers with why the last one was of no use."""
        breaks = 0
        while self._jobs:
            await self._wait_for_turn()
            async with self._tools.slots:
                try:
                    connection = await self._tools.connector.open(self.destination)
                except Trouble as nobody:
                    return nobody
                trouble = Trouble("4.4.2", f"{connection.host.name} says hello, and ends", host=connection.host.name)
                try:
                    while (job := await self._next(connection)) is not None:
                        await self._carry(connection, job)
                        breaks = 0
                except Spent as spent:
                    self._jobs.appendleft(spent.left)
                except BrokenOff as broken:
                    trouble = broken.trouble
                finally:
                    self._say_goodbye(connection)
                if not connection.messages:
                    breaks += 1
                if breaks >= MOST_BREAKS and self._jobs:
                    return trouble
        return None

    def _say_goodbye(self, connection: Connection) -> None:
        """Nobody waits for its answer."""
        task = asyncio.ensure_future(connection.client.quit())
        self._quitting.add(task)
        task.add_done_callback(self._quitting.discard)

    async def _carry(self, connection: Connection, job: Job) -> None:
        self._under_way += 1
        try:
            await self._tools.hand_over(connection, job)
            self._went_well()
        except (Spent, BrokenOff):
            raise
        except Exception as fault:
            self._fault = fault  # before anybody believes that all is done
            raise
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._changed.set()

    def _went_well(self) -> None:
        self.is_doubtful = False
        if self.failures:
            self.failures, self.has_recovered = 0, True
            self._changed.set()
        self._allowed = min(self._allowed + 1 / self._allowed, self._most)
        self._begin()

    async def _next(self, connection: Connection) -> Job | None:
        """None when this connection is of no more use: spent, or idle for too long, or its turn is too far away."""
        while self._jobs or await self._linger(connection):
            if (wait := self._wait()) > max(self._idle, 1) or connection.client.is_spent:
                return None
            if wait > 0:
                await asyncio.sleep(wait)
            elif self._jobs:
                return self._pop()
        return None

    def _pop(self) -> Job:
        self._next_turn = max(self._now(), self._next_turn) + self._interval
        job = self._jobs.popleft()
        if len(self._jobs) == LOW or not self._jobs:
            self._changed.set()
        return job

    async def _linger(self, connection: Connection) -> bool:
        """Wait for the next job, while nobody else needs the place."""
        until = self._now() + self._idle
        while not self._jobs:
            left = until - self._now()
            if left <= 0 or self._is_ending or self._tools.slots.is_crowded or connection.client.is_spent:
                return False
            self._more.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._more.wait(), left)
        return not self._is_ending

    # Its pace.

    def _wait(self) -> float:
        return self._next_turn - self._now() if self._interval else 0.0

    @property
    def is_pacing(self) -> bool:
        """Whether it waits for its turn, and for nothing else."""
        return bool(self._pacing) and not self._under_way

    async def _wait_for_turn(self) -> None:
        if (wait := self._wait()) > 0:
            self._pacing += 1
            self._tools.wake()
            try:
                await asyncio.sleep(wait)
            finally:
                self._pacing -= 1

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
