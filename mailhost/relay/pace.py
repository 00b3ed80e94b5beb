"""How often one thing may happen to one person within a span of time."""

from collections import OrderedDict, deque
from datetime import timedelta

from mailhost.ids import Millis

MOST_REMEMBERED = 10_000
"""People; whoever has been quiet longest is forgotten."""


class Pace:
    """Counts in memory: a new start begins anew."""

    def __init__(self, most: int, within: timedelta) -> None:
        self._most = most
        self._within = within // timedelta(milliseconds=1)
        self._moments: OrderedDict[str, deque[Millis]] = OrderedDict()

    def allows(self, who: str, at: Millis) -> bool:
        """Once more; what is not allowed does not count."""
        moments = self._moments.setdefault(who, deque(maxlen=self._most))
        self._moments.move_to_end(who)
        if len(self._moments) > MOST_REMEMBERED:
            self._moments.popitem(last=False)
        if len(moments) == self._most and moments[0] > at - self._within:
            return False
        moments.append(at)
        return True
