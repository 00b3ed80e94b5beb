"""Where is my message? The ledger's answer in sentences, and as values for programs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from mailhost.database.database import Database
from mailhost.ids import Millis, text_of
from mailhost.queue import search
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.store import mailboxes
from mailhost.store.errors import MailboxMissing
from mailhost.store.values import MailboxKey

MOST = 100
"""Journeys of one answer; the newest."""


@dataclass(frozen=True, slots=True)
class Copy:
    """What became of one recipient."""

    delivery: Delivery
    mailbox: str | None
    """The name of the mailbox where it was stored; None where it is not stored, or the mailbox is no more."""


@dataclass(frozen=True, slots=True)
class Journey:
    """One accepted message, and what became of it for each recipient."""

    acceptance: Acceptance
    copies: tuple[Copy, ...]


async def trace(database: Database, words: Sequence[str], most: int = MOST) -> list[Journey]:
    """The newest messages that all words fit (addresses, parts of them, journeys); the oldest first."""
    found = await database.read(search.journeys, tuple(words), most)
    return [
        Journey(acceptance, tuple([Copy(each, await _mailbox(database, each)) for each in deliveries]))
        for acceptance, deliveries in found
    ]


async def _mailbox(database: Database, delivery: Delivery) -> str | None:
    if delivery.account is None or delivery.mailbox is None:
        return None
    try:
        return (await database.read(mailboxes.get, MailboxKey(delivery.account, delivery.mailbox))).name
    except MailboxMissing:
        return None


def sentences(journey: Journey) -> Iterator[str]:
    """The journey in plain words: its acceptance first, then a line for each recipient."""
    accepted = journey.acceptance
    sender = f"<{accepted.reverse_path}>"
    by = f"{accepted.peer or 'this server itself'}{', logged in' if accepted.login is not None else ''}"
    yield (
        f"{text_of(accepted.journey)}: accepted {_moment(accepted.at)} from {sender} ({by}), "
        f"{accepted.size:,} octets, for {_people(journey)}"
    )
    for each in journey.copies:
        yield f"  {each.delivery.recipient}: {WORDS[each.delivery.state](each)}"


def _people(journey: Journey) -> str:
    named = [each.delivery for each in journey.copies if each.delivery.parent is None]
    return f"{len(named)} recipient" + "s" * (len(named) != 1)


def _stored(copy: Copy) -> str:
    where = copy.mailbox if copy.mailbox is not None else "a mailbox that is no more"
    return f"stored in {where} as UID {copy.delivery.uid}, {_finished(copy)}"


def _waiting(copy: Copy) -> str:
    row = copy.delivery
    if row.destination:
        return f"waiting for relay to {row.destination}, not sent"
    looked = "" if row.next_try is None else f", next look {_moment(row.next_try)}"
    return f"waiting to be stored here, tried {row.tries} times{looked}: {row.reason or 'no reason is known'}"


def _ended(words: str) -> Callable[[Copy], str]:
    def say(copy: Copy) -> str:
        reason = f": {copy.delivery.reason}" if copy.delivery.reason else ""
        return f"{words} {_finished(copy)}{reason}"

    return say


WORDS: Mapping[State, Callable[[Copy], str]] = {
    State.WAITING: _waiting,
    State.STORED: _stored,
    State.RELAYED: _ended("the other host took it"),
    State.EXPANDED: _ended("an alias: it went to the addresses below"),
    State.BOUNCED: _ended("returned to its sender"),
    State.EXPIRED: _ended("given up after its time"),
    State.CANCELLED: _ended("cancelled"),
    State.DISCARDED: _ended("discarded"),
}


def _finished(copy: Copy) -> str:
    return "at no known time" if copy.delivery.finished_at is None else _moment(copy.delivery.finished_at)


def _moment(at: Millis) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC"


def as_values(journey: Journey) -> dict[str, Any]:
    """For programs; moments are milliseconds since 1970 UTC."""
    accepted = journey.acceptance
    return {
        "journey": text_of(accepted.journey),
        "accepted_at": accepted.at,
        "from": accepted.reverse_path,
        "peer": accepted.peer,
        "logged_in": accepted.login is not None,
        "octets": accepted.size,
        "recipients": [_as_value(each) for each in journey.copies],
    }


def _as_value(copy: Copy) -> dict[str, Any]:
    row = copy.delivery
    return {
        "recipient": row.recipient,
        "original": row.original,
        "state": row.state.name.lower(),
        "reason": row.reason,
        "destination": row.destination or None,
        "mailbox": copy.mailbox,
        "uid": row.uid,
        "next_try": row.next_try,
        "tries": row.tries,
        "finished_at": row.finished_at,
    }
