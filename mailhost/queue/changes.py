"""What changed in the queue: announced in the transaction, published after its commit."""

from dataclasses import dataclass

from mailhost.database.hints import Hint, Kind
from mailhost.ids import JourneyId, Millis
from mailhost.queue.values import Share


@dataclass(frozen=True, slots=True)
class Queued:
    """Deliveries wait that somebody may carry on now: new ones, released ones, those to be tried at once."""

    shares: frozenset[Share]
    is_asked: bool = False
    """By a person: also for a destination that is left alone because nobody was there."""

    def hint(self) -> Hint:
        return Hint(Kind.RETRY if self.is_asked else Kind.QUEUE)


@dataclass(frozen=True, slots=True)
class Timed:
    """Messages wait that their senders have set a time for (RFC 2852); the first is late at this one."""

    at: Millis


@dataclass(frozen=True, slots=True)
class DoneHere:
    """Deliveries ended at this server of which the sender asked to hear (RFC 3461): stored, or handed on to an alias's members."""

    journeys: frozenset[JourneyId]
