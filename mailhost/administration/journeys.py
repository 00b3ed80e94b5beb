"""Where is my message? Gathered from the ledger, the trace and the mailbox store: each knows a part of the journey."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mailhost.database.database import Database
from mailhost.ids import AccountId, MailboxId, Millis, Uid
from mailhost.queue import search
from mailhost.queue.values import Acceptance, Delivery
from mailhost.store.values import MailboxKey
from mailhost.store.whereabouts import Whereabouts, elsewhere, whereabouts
from mailhost.trace import entries
from mailhost.trace.entries import COPIED, MOVED
from mailhost.trace.values import Entry

MOST_PLACES = 20
"""Mailboxes to which the copies of one recipient are followed."""


@dataclass(frozen=True, slots=True)
class Step:
    """Something that somebody did with a copy."""

    entry: Entry
    mailbox: str | None
    """What the mailbox is called now where it was done; None when it is no more."""
    target: str | None = None
    target_uid: Uid | None = None
    """Where it went, if it was moved or copied."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a copy was put, and how it is there now."""

    uid: Uid
    now: Whereabouts
    left: bool
    """Whether a step tells how it left."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What became of one recipient."""

    delivery: Delivery
    steps: tuple[Step, ...] = ()
    places: tuple[Place, ...] = ()
    """The first is where it was stored; further ones where somebody moved or copied it to."""

    @property
    def mailbox(self) -> str | None:
        """The name of the mailbox where it was stored; None where it is not stored, or the mailbox is no more."""
        return self.places[0].now.mailbox if self.places else None


@dataclass(frozen=True, slots=True)
class Journey:
    """One accepted message, and what became of it for each recipient."""

    acceptance: Acceptance
    copies: tuple[Copy, ...]
    acts: tuple[Entry, ...] = ()
    """Tries to relay it, and what an administrator did with it in the queue."""

    @property
    def at(self) -> Millis:
        return self.acceptance.at


@dataclass(frozen=True, slots=True)
class Incident:
    """What was never accepted: a refusal, a login that failed, a client whose settings cannot work."""

    entry: Entry

    @property
    def at(self) -> Millis:
        return self.entry.at


async def trace(database: Database, words: Sequence[str], most: int = 100) -> list[Journey | Incident]:
    """The newest that all words fit (addresses, subjects, Message-IDs, parts of them, journeys); the oldest first."""
    accepted = await database.read(search.journeys, tuple(words), most)
    journeys = [
        Journey(
            acceptance,
            tuple([await _copy(database, each) for each in deliveries]),
            tuple(await database.read(entries.of_journey, acceptance.journey)),
        )
        for acceptance, deliveries in accepted
    ]
    incidents = [Incident(each) for each in await database.read(entries.about, tuple(words), most)]
    return sorted([*journeys, *incidents], key=lambda each: each.at)


async def _copy(database: Database, delivery: Delivery) -> Copy:
    if delivery.account is None or delivery.mailbox is None or delivery.uid is None:
        return Copy(delivery)
    since = delivery.finished_at or Millis(0)
    steps, places = await _Following(database).all(_Start(delivery.account, delivery.mailbox, delivery.uid, since))
    return Copy(delivery, tuple(sorted(steps, key=lambda step: step.entry.id)), tuple(places))


@dataclass(frozen=True, slots=True)
class _Start:
    """From here on a copy is followed."""

    account: AccountId
    mailbox: MailboxId
    uid: Uid
    since: Millis

    @property
    def key(self) -> MailboxKey:
        return MailboxKey(self.account, self.mailbox)


@dataclass(slots=True)
class _Following:
    database: Database
    steps: list[Step] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    async def all(self, start: _Start) -> tuple[list[Step], list[Place]]:
        """Mailbox after mailbox; a copy is another place."""
        open_ends, seen = [start], set[tuple[MailboxId, Uid]]()
        while open_ends and len(self.places) < MOST_PLACES:
            end = open_ends.pop(0)
            if (end.mailbox, end.uid) not in seen:
                seen.add((end.mailbox, end.uid))
                open_ends += await self._follow(end)
        return self.steps, self.places

    async def _follow(self, start: _Start) -> list[_Start]:
        now = await self.database.read(whereabouts, start.key, start.uid)
        found = await self.database.read(entries.of_message, start.mailbox, start.uid, start.since)
        targets = []
        for each in found:
            target = _target(each, start.uid)
            name = None if target is None else (await self.database.read(whereabouts, target.key, target.uid)).mailbox
            self.steps.append(Step(each, now.mailbox, name, None if target is None else target.uid))
            targets += [] if target is None else [target]
        left = any(_is_end(each) for each in found)
        if not now.is_there and not left:
            # Moved without a word, or the word was lost in a crash: the store knows it by its content.
            others = await self.database.read(elsewhere, start.key, start.uid)
            known = {(target.mailbox, target.uid) for target in targets}
            more = [_Start(key.account, key.id, uid, start.since) for key, uid in others if (key.id, uid) not in known]
            left, targets = bool(more), targets + more
        self.places.append(Place(start.uid, now, left))
        return targets


def _target(entry: Entry, uid: Uid) -> _Start | None:
    """The targets of a copy have UIDs in a row, in the order of the sources."""
    place = entry.place_of(uid)
    if entry.kind not in (COPIED, MOVED) or place is None:
        return None
    data = entry.data
    return _Start(AccountId(data["to_account"]), MailboxId(data["to_mailbox"]), Uid(data["to_uid"] + place), entry.at)


def _is_end(entry: Entry) -> bool:
    return entry.kind in (MOVED, "store.expunge")
