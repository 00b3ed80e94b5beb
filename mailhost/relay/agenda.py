"""Which destination is due when. Destinations that go the same way are one lane, with connections and a pace of its own."""

import heapq
from collections.abc import Callable

from mailhost.ids import Millis

MOST_NAMES = 500
"""Destinations of one lane that are asked for together: a smarthost's are all there are."""


class Agenda:
    """In memory; the ledger tells it all again at the next start. A moment costs the logarithm of how many there are."""

    def __init__(self, lane_of: Callable[[str], str]) -> None:
        self._lane_of = lane_of
        self._due: dict[str, dict[str, Millis]] = {}
        """By lane, each destination with the time of its next try."""
        self._moments: list[tuple[Millis, str]] = []
        """A heap of when lanes are to be looked at; some entries are out of date, and cost a look."""
        self._closed_until: dict[str, Millis] = {}

    def add(self, destination: str, at: Millis) -> None:
        """Something waits for it; the earlier of two times counts."""
        lane = self._lane_of(destination)
        its = self._due.setdefault(lane, {})
        if destination not in its or at < its[destination]:
            its[destination] = at
            heapq.heappush(self._moments, (max(at, self._closed_until.get(lane, at)), lane))

    def close(self, lane: str, until: Millis) -> None:
        """Nobody is there: whatever comes for it, it is not looked at before."""
        self._closed_until[lane] = until
        heapq.heappush(self._moments, (until, lane))

    def open(self, lane: str) -> None:
        self._closed_until.pop(lane, None)

    def again(self, lane: str) -> None:
        """It was busy when its moment came, perhaps."""
        if its := self._due.get(lane):
            at = min(its.values())
            heapq.heappush(self._moments, (max(at, self._closed_until.get(lane, at)), lane))

    def lanes(self, now: Millis) -> set[str]:
        """Those whose moment has come."""
        found = set()
        while self._moments and self._moments[0][0] <= now:
            found.add(heapq.heappop(self._moments)[1])
        return {lane for lane in found if lane in self._due}

    def take(self, lane: str, now: Millis) -> list[str]:
        """Some destinations of a lane that are due; they are on the agenda no more."""
        if self._closed_until.get(lane, now) > now:
            return []
        its = self._due.get(lane, {})
        names = [name for name, at in its.items() if at <= now][:MOST_NAMES]
        for name in names:
            del its[name]
        if not its:
            self._due.pop(lane, None)
        return names

    @property
    def next_moment(self) -> Millis | None:
        return self._moments[0][0] if self._moments else None
