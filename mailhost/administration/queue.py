"""The queue as an administrator sees and steers it; each act is in the trace."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.events.event import QUEUE_ACT
from mailhost.ids import DeliveryId, EventId, Millis, fresh, now
from mailhost.queue import control
from mailhost.queue.control import Choice, Group, Waiting
from mailhost.queue.values import State
from mailhost.trace import entries
from mailhost.trace.values import Entry
from mailhost.transport.user import own_name

__all__ = ["ACTS", "Act", "Choice", "Group", "Waiting", "act", "groups", "waiting"]


@dataclass(frozen=True, slots=True)
class Act:
    """What is done, and when it is to be tried where that is asked."""

    name: str
    at: Millis | None = None


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


async def groups(database: Database, choice: Choice) -> list[Group]:
    return await database.read(control.groups, choice)


async def waiting(database: Database, choice: Choice) -> list[Waiting]:
    return await database.read(control.waiting, choice)


async def act(database: Database, choice: Choice, asked: Act) -> list[Waiting]:
    """Do it to all that are chosen; answers with those it was done to, as they were before."""
    found = await waiting(database, choice)
    done = set(await database.write(_act, found, asked, own_name()))
    return [each for each in found if each.delivery.id in done]


def _act(tx: Transaction, found: Sequence[Waiting], asked: Act, who: str) -> Sequence[DeliveryId]:
    """With its traces, in one transaction."""
    done = ACTS[asked.name](tx, [each.delivery.id for each in found], asked)
    mine = set(done)
    entries.insert_many(tx, [_entry(each, asked, who) for each in found if each.delivery.id in mine])
    return done


def _entry(each: Waiting, asked: Act, who: str) -> Entry:
    data = {"act": asked.name, "by": who, "recipient": each.delivery.recipient}
    at = {} if asked.at is None else {"until": asked.at}
    return Entry(EventId(fresh()), now(), QUEUE_ACT, data | at, journey=each.delivery.journey)
