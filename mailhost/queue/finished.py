"""The ledger's finished entries, when nobody asks for them any more."""

from sqlalchemy import delete, select

from mailhost.database.marks import long
from mailhost.database.transaction import Transaction
from mailhost.database.types import one_of
from mailhost.ids import Millis, first_of
from mailhost.queue.entries import finished_before
from mailhost.queue.tables import acceptance, delivery


@long
def forget(tx: Transaction, before: Millis, most: int) -> int:
    """Let go of up to `most` acceptances that are wholly finished since before a moment, with their deliveries."""
    old = acceptance.c.id < first_of(before)
    ids = list(
        tx.execute(
            select(acceptance.c.id).where(old, finished_before(before)).order_by(acceptance.c.id).limit(most)
        ).scalars()
    )
    tx.execute(delete(delivery).where(one_of(delivery.c.acceptance_id, ids)))
    tx.execute(delete(acceptance).where(one_of(acceptance.c.id, ids)))
    return len(ids)
