"""What changed in the queue: announced in the transaction, published after its commit."""

from dataclasses import dataclass

from mailhost.database.hints import Hint, Kind


@dataclass(frozen=True, slots=True)
class Queued:
    """Deliveries wait that somebody may carry on now: new ones, released ones, those to be tried at once."""

    destinations: frozenset[str]
    """"" for mailboxes here."""

    def hint(self) -> Hint:
        return Hint(Kind.QUEUE)
