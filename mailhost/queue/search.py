"""Where is my message? The ledger asked by words: an address, a subject, a Message-ID, parts of them, a peer's address, or a journey."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.ids import JourneyId
from mailhost.queue import entries
from mailhost.queue.entries import acceptance_of
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery

LONGEST_WORD = 1_000


@long
def journeys(tx: Transaction, words: Sequence[str], most: int) -> list[tuple[Acceptance, list[Delivery]]]:
    """The newest accepted messages that every word fits, each with its recipients; the oldest first."""
    rows = tx.execute(select(acceptance).where(*map(_fits, words)).order_by(acceptance.c.id.desc()).limit(most)).all()
    found = [acceptance_of(row) for row in reversed(rows)]
    return [(each, _recipients(tx, each.journey)) for each in found]


def _recipients(tx: Transaction, journey: JourneyId) -> list[Delivery]:
    """What was expanded stands before those it went to."""
    rows = entries.of_journey(tx, journey)
    return sorted(rows, key=lambda row: (row.parent or row.id, row.parent is not None))


def _fits(word: str) -> ColumnElement[bool]:
    """Without regard to case where the letters are ASCII; what stands for anything in SQL stands for itself."""
    wanted = word[:LONGEST_WORD].lower()
    to = or_(*(_holds(delivery.c[name], wanted) for name in ("recipient", "original")))
    named = exists().where(and_(delivery.c.acceptance_id == acceptance.c.id, to))
    fits = [_holds(acceptance.c[name], wanted) for name in ("reverse_path", "subject", "message_id")]
    fits += [named, acceptance.c.peer == wanted]
    if (journey := _journey(wanted)) is not None:
        fits.append(acceptance.c.id == journey)
    return or_(*fits)


def _holds(column: ColumnElement[Any], wanted: str) -> ColumnElement[bool]:
    return func.lower(column).contains(wanted, autoescape=True)


def _journey(word: str) -> int | None:
    """A journey as the 250 after DATA and the Received field name it: 16 hex digits."""
    try:
        number = int(word, 16) if len(word) == 16 else -1
    except ValueError:
        return None
    return number if 0 <= number < 1 << 63 else None
