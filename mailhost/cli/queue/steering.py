"""An act on the queue, with all that it needs beside the ledger: the notices of the relay, the routes of delivery."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mailhost.cli import office
from mailhost.cli.asking import parsed
from mailhost.cli.exits import EX_NOUSER, Failure
from mailhost.config.settings import Config
from mailhost.events.event import FAULT, NOTICE_WITHHELD, Event, Events
from mailhost.ids import DeliveryId, Millis, now

if TYPE_CHECKING:
    from mailhost.administration.queue import Choice, Perform, Traces
    from mailhost.database.database import Database
    from mailhost.delivery.route import Place
    from mailhost.queue.control import Waiting
    from mailhost.store.octets import BlobStore


@dataclass(frozen=True, slots=True)
class Asked:
    name: str
    at: Millis | None = None
    why: str = ""
    to: str = ""


@dataclass(slots=True)
class Steered:
    """What came of it, in recipients and messages."""

    count: int = 0
    busy: int = 0
    in_circles: int = 0
    untold: int = 0
    why_untold: str = ""

    def heard(self, event: Event) -> None:
        """Of a notice that does not go out."""
        if event.kind in (NOTICE_WITHHELD, FAULT):
            self.untold += 1
            self.why_untold = event.cause


async def steer(
    config: Config, which: "Choice", asked: Asked, hear: "Callable[[Sequence[Waiting]], object]"
) -> Steered:
    """Raises `Failure`."""
    from mailhost.administration import queue

    to = parsed(asked.to) if asked.to else None
    words = {name: text for name, text in (("reason", asked.why), ("to", to.text() if to else "")) if text}
    came_to = Steered()

    async def act(database: "Database", octets: "BlobStore") -> None:
        perform: Perform | None = None
        if asked.name == "bounce":
            perform = _returning(config, database, octets, asked.why, came_to)
        elif to is not None:
            perform = _Redirecting(database, *await _places(database, to), came_to).perform
        done = await queue.act(database, which, queue.Act(asked.name, asked.at, words), perform, hear)
        came_to.count, came_to.busy = done.count, done.busy - came_to.in_circles

    await office.asked_with_octets(config, act)
    return came_to


def _returning(config: Config, database: "Database", octets: "BlobStore", why: str, came_to: Steered) -> "Perform":
    from mailhost.relay.assembly import notices_at_once
    from mailhost.relay.by_hand import ReturnByHand

    events = Events(config.server.node)
    events.subscribe(came_to.heard)
    return ReturnByHand(database, notices_at_once(config, database, octets, events), why).perform


async def _places(database: "Database", to: Any) -> "tuple[str, tuple[Place, ...]]":
    """Raises `Failure` for nobody."""
    from mailhost.delivery.route import resolve

    places, _ = await database.read(resolve, to.local, to.domain)
    if not places:
        raise Failure(f"{to.text()}: nobody of this name is here; nothing was redirected", EX_NOUSER)
    return f"{to.local}@{to.domain}", places


@dataclass(frozen=True, slots=True)
class _Redirecting:
    database: "Database"
    to: str
    places: "tuple[Place, ...]"
    came_to: Steered = field()

    async def perform(self, found: "Sequence[Waiting]", acts: "Traces") -> Sequence[DeliveryId]:
        from mailhost.delivery.redirect import redirect

        rows = [(each.delivery, each.acceptance) for each in found]
        done = await self.database.write(redirect, rows, self.to, self.places, acts, now())
        self.came_to.in_circles += done.in_circles
        return done.done
