"""When the sender of a message hears of its failures: not of each, but of those of some time together.

In memory: what a crash leaves untold the ledger knows, and the next start asks it.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta

from mailhost.ids import JourneyId, Millis, now

MOST_REMEMBERED = 10_000
"""Messages; a notice of one that is forgotten may come sooner than it should."""
MOST_DOUBLED = 12


class Gathering:
    """The first notice waits while others of the message's recipients are on their way, each further one twice as long as the one before."""

    def __init__(self, span: timedelta, clock: Callable[[], Millis] = now) -> None:
        self._span = span // timedelta(milliseconds=1)
        self._clock = clock
        self._due: dict[JourneyId, Millis] = {}
        self._told: OrderedDict[JourneyId, tuple[int, Millis]] = OrderedDict()
        """How often the sender was told of a message, and when he may be again."""
        self.look = True
        """Whether the ledger must be asked: at the start, and after more than memory should hold."""
        self.wake = asyncio.Event()

    def holds(self, journey: JourneyId) -> bool:
        return journey in self._due

    def is_early(self, journey: JourneyId) -> bool:
        """Whether its sender has heard of it so lately that he should not again."""
        return self._told.get(journey, (0, Millis(0)))[1] > self._clock()

    def add(self, journey: JourneyId, *, is_last: bool) -> None:
        """Something has failed; nobody waits for others where it is the last one."""
        if journey not in self._due and len(self._due) >= MOST_REMEMBERED:
            self.look = True
            return
        earliest = self._told.get(journey, (0, Millis(0)))[1]
        due = max(earliest, Millis(self._clock() + (0 if is_last else self._span)))
        self._due[journey] = min(due, self._due.get(journey, due))
        self.wake.set()

    def tells(self, journey: JourneyId) -> None:
        """Its sender hears of it now."""
        times = self._told.pop(journey, (0, Millis(0)))[0]
        later = self._clock() + self._span * 2 ** min(times, MOST_DOUBLED)
        self._told[journey] = times + 1, Millis(later)
        if len(self._told) > MOST_REMEMBERED:
            self._told.popitem(last=False)

    def take(self) -> list[JourneyId]:
        """Those whose time has come."""
        at = self._clock()
        found = [journey for journey, due in self._due.items() if due <= at]
        for journey in found:
            del self._due[journey]
        return found

    @property
    def next_moment(self) -> Millis | None:
        return min(self._due.values(), default=None)
