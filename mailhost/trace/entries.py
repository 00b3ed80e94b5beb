"""The rows of the trace: written in batches, found by message or by address, let go when their time is over."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, insert, select

from mailhost.database.hot import Hot
from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.events.event import STORE_EXPUNGE
from mailhost.ids import EventId, JourneyId, MailboxId, Millis, Uid, first_of
from mailhost.trace.tables import event
from mailhost.trace.values import Entry

INSERT = Hot(
    insert(event),
    "id",
    "at",
    "kind",
    "journey",
    "account_id",
    "mailbox_id",
    "first_uid",
    "last_uid",
    "uids",
    "about",
    "data",
)
MOST_OF_MESSAGE = 500
"""Events of one message in one mailbox, the newest; and as many that tell where it went."""
COPIED, MOVED = "store.copy", "store.move"
"""As the trace calls a STORE_ADD that has a source; it is kept under the source's UIDs."""
OF_SERVER = JourneyId(0)
"""In place of a journey, of what befell the server and no message: the index of journeys finds it."""
TELL_WHERE = (COPIED, MOVED, STORE_EXPUNGE)


def insert_many(tx: Transaction, entries: Sequence[Entry]) -> None:
    tx.many(INSERT, [_row(each) for each in entries])


@long
def of_message(tx: Transaction, mailbox: MailboxId, uid: Uid, since: Millis) -> list[Entry]:
    """What happened to a message since a moment, the oldest first."""
    about = select(event).where(
        event.c.mailbox_id == mailbox,
        event.c.id >= first_of(since),
        event.c.first_uid <= uid,
        event.c.last_uid >= uid,
    )
    newest = about.order_by(event.c.id.desc()).limit(MOST_OF_MESSAGE)
    kinds = newest.where(event.c.kind.in_(TELL_WHERE)), newest.where(event.c.kind.not_in(TELL_WHERE))
    found = sorted((_entry(row) for each in kinds for row in tx.execute(each)), key=lambda entry: entry.id)
    return [each for each in found if each.place_of(uid) is not None]


def of_journey(tx: Transaction, journey: JourneyId) -> list[Entry]:
    """What was tried and done for a message as a whole, the oldest first."""
    rows = tx.execute(select(event).where(event.c.journey == journey).order_by(event.c.id).limit(MOST_OF_MESSAGE))
    return [_entry(row) for row in rows]


def last_of_server(tx: Transaction) -> Entry | None:
    """What befell the server last."""
    newest = select(event).where(event.c.journey == OF_SERVER).order_by(event.c.id.desc()).limit(1)
    row = tx.execute(newest).one_or_none()
    return None if row is None else _entry(row)


@long
def about(tx: Transaction, words: Sequence[str], most: int) -> list[Entry]:
    """The newest that name addresses which every word is a part of; the oldest first."""
    holds = [event.c.about.contains(word.lower(), autoescape=True) for word in words]
    rows = tx.execute(
        select(event).where(event.c.about.is_not(None), *holds).order_by(event.c.id.desc()).limit(most)
    ).all()
    return [_entry(row) for row in reversed(rows)]


@long
def forget(tx: Transaction, before: Millis, most: int) -> int:
    """Let go of up to `most` events from before a moment."""
    old = select(event.c.id).where(event.c.id < first_of(before)).order_by(event.c.id).limit(most)
    ids = list(tx.execute(old).scalars())
    tx.execute(delete(event).where(one_of(event.c.id, ids)))
    return len(ids)


def _row(e: Entry) -> tuple[Any, ...]:
    ends = list(e.runs())
    first, last = (ends[0][0], ends[-1][1]) if ends else (None, None)
    data = msgspec.json.encode(e.data).decode()
    return e.id, e.at, e.kind, e.journey, e.account, e.mailbox, first, last, e.uids or None, e.about, data


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        EventId(row.id),
        Millis(row.at),
        row.kind,
        msgspec.json.decode(row.data),
        row.account_id,
        row.mailbox_id,
        row.uids or "",
        row.about,
        row.journey,
    )
