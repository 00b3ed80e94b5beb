"""Which share is due when. Shares whose destinations go the same way are one lane, with connections and a pace of its own."""

import heapq
from collections.abc import Callable

from mailhost.ids import Millis
from mailhost.queue.values import Share
from mailhost.relay.turns import by_turns

MOST_AT_ONCE = 1_000
"""Lanes that are looked at in one turn of the loop."""


class Agenda:
    """In memory; the ledger tells it all again at the next start. A moment costs the logarithm of how many there are."""

    def __init__(self, lane_of: Callable[[str], str]) -> None:
        self._lane_of = lane_of
        self._due: dict[str, dict[Share, Millis]] = {}
        """By lane, each share with the time of its next try; what was asked for last stands last."""
        self._moments: list[tuple[Millis, str]] = []
        """A heap of when lanes are to be looked at; some entries are out of date, and cost a look."""
        self._noted: set[tuple[Millis, str]] = set()
        """What is in the heap: nothing is twice."""
        self._closed_until: dict[str, Millis] = {}

    def add(self, share: Share, at: Millis) -> None:
        """Something waits in it; the earlier of two times counts."""
        lane = self._lane_of(share.destination)
        its = self._due.setdefault(lane, {})
        if share not in its or at < its[share]:
            its[share] = at
            self._note(lane, at)

    def close(self, lane: str, until: Millis) -> None:
        """Nobody is there: whatever comes for it, it is not looked at before."""
        self._closed_until[lane] = until
        self._note(lane, until)

    def open(self, lane: str) -> None:
        self._closed_until.pop(lane, None)

    def open_all(self) -> None:
        for lane in list(self._closed_until):
            self.open(lane)
            self.again(lane)

    def again(self, lane: str) -> None:
        """It was busy when its moment came, perhaps."""
        if its := self._due.get(lane):
            self._note(lane, min(its.values()))

    def lanes(self, now: Millis) -> set[str]:
        """Some of those whose moment has come, and that are not closed: these have a moment of their own."""
        found = set[str]()
        while self._moments and self._moments[0][0] <= now and len(found) < MOST_AT_ONCE:
            moment = heapq.heappop(self._moments)
            self._noted.discard(moment)
            found.add(moment[1])
        return {lane for lane in found if lane in self._due and self._closed_until.get(lane, now) <= now}

    def take(self, lane: str, now: Millis, most: int) -> list[Share]:
        """Shares of a lane that are due, up to `most`: those of a higher priority first, then each sender in his turn.

        They are on the agenda no more: whoever took them puts back what is left.
        """
        if self._closed_until.get(lane, now) > now:
            return []
        its = self._due.get(lane, {})
        shares = by_turns((share for share, at in its.items() if at <= now), lambda share: share)[:most]
        for share in shares:
            del its[share]
        if not its:
            self._due.pop(lane, None)
        return shares

    def destinations(self, lane: str) -> list[str]:
        """Where something waits to go by it."""
        return sorted({share.destination for share in self._due.get(lane, {})})

    @property
    def next_moment(self) -> Millis | None:
        return self._moments[0][0] if self._moments else None

    def _note(self, lane: str, at: Millis) -> None:
        moment = max(at, self._closed_until.get(lane, at)), lane
        if moment not in self._noted:
            self._noted.add(moment)
            heapq.heappush(self._moments, moment)
