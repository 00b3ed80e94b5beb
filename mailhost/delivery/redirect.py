"""Mail that waits goes to another address by an administrator's decision: its row stays, expanded into a child for each place of that address."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mailhost.database.marks import long_by
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import ONE_COPY, of_members
from mailhost.delivery.route import Place
from mailhost.ids import DeliveryId, JourneyId, Millis, fresh
from mailhost.queue import control, entries
from mailhost.queue.changes import Queued
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.trace import entries as traces
from mailhost.trace.values import Entry

HAS_IT = frozenset({State.WAITING, State.STORED, State.RELAYED})
REDIRECTED = "redirected by the administrator"


@dataclass(frozen=True, slots=True)
class Redirected:
    """What came of it."""

    done: tuple[DeliveryId, ...]
    in_circles: int
    """Rows that are for that address already, or come from it: they are left alone."""


@long_by(lambda rows, *_: len(rows))
def redirect(
    tx: Transaction,
    rows: Sequence[tuple[Delivery, Acceptance]],
    to: str,
    places: Sequence[Place],
    acts: Mapping[DeliveryId, Entry],
    at: Millis,
) -> Redirected:
    """What somebody is sending at this moment is left to him."""
    free = set(control.free(tx, [row.id for row, _ in rows], at))
    journeys = {row.journey for row, _ in rows if row.id in free}
    of = {journey: {each.id: each for each in entries.of_journey(tx, journey)} for journey in journeys}
    mine: list[DeliveryId] = []
    has_it: dict[JourneyId, set[str]] = {}
    made: list[Delivery] = []
    for row, accepted in rows:
        if row.id in free and not _leads_back(row, of[row.journey], to, places):
            mine.append(row.id)
            known = _known(has_it, row.journey, of[row.journey].values())
            made += _children(row, accepted, places, known, at)
    control.finish(tx, mine, State.EXPANDED, f"redirected to {to} by the administrator", at)
    entries.insert_many(tx, [], made)
    traces.insert_many(tx, [acts[id_] for id_ in mine])
    if shares := frozenset(row.share for row in made if row.state is State.WAITING):
        tx.announce(Queued(shares, is_asked=True))
    return Redirected(tuple(mine), len(free) - len(mine))


def _leads_back(row: Delivery, its: Mapping[DeliveryId, Delivery], to: str, places: Sequence[Place]) -> bool:
    """To whom it is for, or was for before."""
    before: Delivery | None = row
    seen = set[DeliveryId]()
    while before is not None and before.id not in seen:
        seen.add(before.id)
        if before.recipient in {to, *(place.address for place in places)}:
            return True
        before = its.get(before.parent) if before.parent is not None else None
    return False


def _known(has_it: dict[JourneyId, set[str]], journey: JourneyId, its: Iterable[Delivery]) -> set[str]:
    """Who gets the message already."""
    if journey not in has_it:
        has_it[journey] = {row.recipient for row in its if row.state in HAS_IT}
    return has_it[journey]


def _children(
    row: Delivery, accepted: Acceptance, places: Sequence[Place], has_it: set[str], at: Millis
) -> list[Delivery]:
    """What the sender wrote is kept, with what he wants to hear (RFC 3461 section 5.2.7); nobody gets the message twice."""
    found = []
    for place in places:
        child = Delivery(
            DeliveryId(fresh()),
            row.journey,
            row.id,
            place.address,
            row.original,
            place.domain,
            State.WAITING,
            reason=REDIRECTED,
            next_try=max(at, accepted.release_at or at),
            notify=of_members(row.notify) if len(places) > 1 else row.notify,
            sender=row.sender,
            priority=row.priority,
        )
        if place.address in has_it:
            child = replace(child, state=State.DISCARDED, reason=ONE_COPY, next_try=None, finished_at=at)
        has_it.add(place.address)
        found.append(child)
    return found
