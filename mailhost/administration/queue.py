"""The queue as an administrator sees and steers it, however much waits: page by page, each page one transaction, each act in the trace."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mailhost.database.database import Database
from mailhost.database.marks import long_by
from mailhost.database.transaction import Transaction
from mailhost.events.event import PORT_OPEN, QUEUE_ACT
from mailhost.ids import DeliveryId, EventId, Millis, fresh, now
from mailhost.queue import control
from mailhost.queue.control import FIRST, Choice, Group, Row, Waiting
from mailhost.queue.values import State
from mailhost.trace import entries
from mailhost.trace.values import Entry
from mailhost.transport.user import own_name

__all__ = ["ACTS", "Act", "Choice", "Done", "Group", "Waiting", "act", "count", "groups", "is_blocked", "waiting"]

WINDOW = 20_000
"""Rows whose identifiers are held at a time."""
PAGE = 500
"""Rows that are shown or done together."""
MOST_OF_MESSAGE = 10_000
"""Rows of one message that stay together."""

Traces = Mapping[DeliveryId, Entry]
Perform = Callable[[Sequence[Waiting], Traces], Awaitable[Sequence[DeliveryId]]]
"""Does it to some rows, and writes their traces with it; answers with those it was done to."""


@dataclass(frozen=True, slots=True)
class Act:
    """What is done, and when it is to be tried where that is asked."""

    name: str
    at: Millis | None = None
    words: Mapping[str, str] = field(default_factory=dict)
    """What else the trace tells of it."""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it, in rows."""

    count: int
    busy: int
    """Somebody was sending these at that moment."""


def _hold(tx: Transaction, ids: Sequence[DeliveryId], _: Act) -> Sequence[DeliveryId]:
    control.hold(tx, ids)
    return ids


def _try(tx: Transaction, ids: Sequence[DeliveryId], asked: Act) -> Sequence[DeliveryId]:
    control.try_at(tx, ids, now() if asked.at is None else asked.at)
    return ids


def _cancel(tx: Transaction, ids: Sequence[DeliveryId], _: Act) -> Sequence[DeliveryId]:
    return control.finish(tx, ids, State.CANCELLED, "cancelled by the administrator", now())


ACTS: Mapping[str, Callable[[Transaction, Sequence[DeliveryId], Act], Sequence[DeliveryId]]] = {
    "hold": _hold,
    "release": _try,
    "retry": _try,
    "reschedule": _try,
    "cancel": _cancel,
}
"""Those that need the queue alone; of the others the caller brings what performs them."""


async def groups(database: Database, choice: Choice, most: int) -> tuple[list[Group], int]:
    """The largest, and how many there are."""
    return await database.read(control.groups, choice, most)


async def count(database: Database, choice: Choice) -> int:
    return await database.read(control.count, choice)


async def waiting(database: Database, choice: Choice) -> AsyncIterator[list[Waiting]]:
    """All that is chosen; recipients of one message in one page, if it has no more than some thousands."""
    async for ids in _pages(database, choice):
        if found := await database.read(control.waiting, ids):
            yield found


async def is_blocked(database: Database, reason: str) -> bool:
    """Whether something waits for that reason, and the server has not told since that it is over."""
    if not await database.read(control.has_reason, reason):
        return False
    last = await database.read(entries.last_of_server)
    return last is None or last.kind != PORT_OPEN


async def act(
    database: Database,
    choice: Choice,
    asked: Act,
    perform: Perform | None = None,
    hear: Callable[[Sequence[Waiting]], object] = lambda _: None,
) -> Done:
    """Do it to all that are chosen; `hear` is told page by page to which it was done, as they were before."""
    perform = perform or _Written(database, asked).perform
    done = busy = 0
    who = own_name()
    async for found in waiting(database, choice):
        mine = set(await perform(found, {each.delivery.id: _entry(each, asked, who) for each in found}))
        hear([each for each in found if each.delivery.id in mine])
        left = [each.delivery.id for each in found if each.delivery.id not in mine]
        done += len(mine)
        busy += await database.read(control.still_waiting, left) if left else 0
    return Done(done, busy)


@dataclass(frozen=True, slots=True)
class _Written:
    """An act of `ACTS`."""

    database: Database
    asked: Act

    async def perform(self, found: Sequence[Waiting], traces: Traces) -> Sequence[DeliveryId]:
        return await self.database.write(_act, [each.delivery.id for each in found], self.asked, traces)


@long_by(lambda ids, *_: len(ids))
def _act(tx: Transaction, ids: Sequence[DeliveryId], asked: Act, traces: Traces) -> Sequence[DeliveryId]:
    """With its traces, in one transaction."""
    done = ACTS[asked.name](tx, ids, asked)
    entries.insert_many(tx, [traces[each] for each in done])
    return done


def _entry(each: Waiting, asked: Act, who: str) -> Entry:
    data = {"act": asked.name, "by": who, "recipient": each.delivery.recipient, **asked.words}
    at = {} if asked.at is None else {"until": asked.at}
    return Entry(EventId(fresh()), now(), QUEUE_ACT, data | at, journey=each.delivery.journey)


async def _pages(database: Database, choice: Choice) -> AsyncIterator[list[DeliveryId]]:
    page: list[Row] = []
    last = FIRST
    while rows := await database.read(control.chosen, choice, last, WINDOW):
        last = rows[-1]
        for row in rows:
            is_other = bool(page) and row[0] != page[-1][0]
            if len(page) >= (PAGE if is_other else MOST_OF_MESSAGE):
                yield [id_ for _, id_ in page]
                page = []
            page.append(row)
    if page:
        yield [id_ for _, id_ in page]
