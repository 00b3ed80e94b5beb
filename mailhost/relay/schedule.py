"""When to come again: soon at first, then seldom, until the message is given up (RFC 5321 section 4.5.4.1)."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from mailhost.ids import Millis

JITTER = 0.1
"""Of each wait: what failed together must not come again together."""


@dataclass(frozen=True, slots=True)
class Schedule:
    waits: Sequence[timedelta] = tuple(timedelta(minutes=each) for each in (1, 5, 10, 20, 40, 60, 120, 240))
    """After the first try, the second, ...; the last one again and again."""
    give_up: timedelta = timedelta(days=5)
    """Counted from the acceptance."""
    warn: timedelta = timedelta(hours=4)
    """When the sender hears that the message is still on its way."""
    chance: random.Random = field(default_factory=random.Random)

    def next_try(self, accepted: Millis, tries: int, at: Millis) -> Millis | None:
        """After so many tries; None when its time is over. The last try is at that time, not before it."""
        end = accepted + self.give_up // timedelta(milliseconds=1)
        if at >= end:
            return None
        wait = self.waits[min(tries, len(self.waits) - 1)] / timedelta(milliseconds=1)
        later = at + wait * (1 + JITTER * (2 * self.chance.random() - 1))
        return Millis(min(int(later), end))
