"""Local deliveries that could not be stored at once: stored when their time has come, woken by a commit and by a timer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import Queued, prefix_for
from mailhost.delivery.arrival import structure_of
from mailhost.delivery.route import Place, resolve
from mailhost.events.event import FAULT, STORE_ADD, Events
from mailhost.ids import DeliveryId, MessageId, Millis, fresh, now
from mailhost.message.budget import Limits
from mailhost.queue import entries
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.store import mailboxes, messages
from mailhost.store.octets import BlobStore
from mailhost.store.values import Flags, MailboxKey, NewMessage
from mailhost.users.changes import DirectoryChanged

AT_ONCE = 50
LOOK_EVERY = timedelta(seconds=60)
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)


class WaitingDeliveries:
    """The background task. It gives up nothing: a row that cannot be stored waits on, and the ledger says why."""

    def __init__(self, database: Database, blobs: BlobStore, events: Events, clock: Callable[[], Millis] = now) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._wake = asyncio.Event()
        database.subscribe(self._published)

    async def run(self) -> None:
        """Again and again. The task is the caller's to watch and to cancel."""
        while True:
            self._wake.clear()  # before we look: whoever queues meanwhile wakes us again
            try:
                await self.deliver_due()
            except CommitFailed as failure:
                self._events.publish(FAULT, cause=f"waiting deliveries: {failure}")
            try:
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY.total_seconds())
            except TimeoutError:
                continue

    async def deliver_due(self) -> int:
        """Try each row that is due, once; answers with how many were stored."""
        stored = 0
        for delivery, acceptance in await self._database.read(entries.due_here, self._clock(), AT_ONCE):
            try:
                stored += await self._deliver(delivery, acceptance)
            except CommitFailed:
                raise
            except Exception as fault:  # noqa: BLE001 - one message that cannot be read must not stop the others, nor the service
                await self._put_off(delivery, acceptance, fault)
        return stored

    async def _put_off(self, delivery: Delivery, acceptance: Acceptance, fault: Exception) -> None:
        self._events.publish(
            FAULT, journey=acceptance.journey, cause=f"waiting delivery: {fault!r}", data={"exception": fault}
        )
        await self._database.write(entries.defer, delivery.id, "it could not be read", self._later(delivery))

    async def _deliver(self, delivery: Delivery, acceptance: Acceptance) -> bool:
        place = await self._place(delivery)
        if place is None or place.mailbox is None:
            await self._database.write(entries.defer, delivery.id, "its mailbox is not there", self._later(delivery))
            return False
        message = await self._message(acceptance, delivery, place.mailbox)
        done = await self._database.write(store, delivery.id, message, self._clock())
        if done is not None:
            data = {"recipient": done.recipient, "state": "stored", "uid": done.uid, "octets": message.size}
            self._events.publish(STORE_ADD, journey=acceptance.journey, data=data)
        return done is not None

    async def _place(self, delivery: Delivery) -> Place | None:
        """Looked up again: the account may have another mailbox by now."""
        local_part, _, domain = delivery.recipient.rpartition("@")
        places, _ = await self._database.read(resolve, local_part, domain)
        return next((place for place in places if place.mailbox is not None), None)

    async def _message(self, acceptance: Acceptance, delivery: Delivery, mailbox: MailboxKey) -> NewMessage:
        content = b"".join([piece async for piece in self._blobs.blob_pieces(acceptance.blob, 0, 1 << 62)])
        structure = await structure_of(self._blobs, content, Limits())
        prefix = prefix_for(acceptance, delivery.recipient, structure.begins_with_field)
        return NewMessage(
            mailbox,
            MessageId(fresh()),
            acceptance.blob,
            structure,
            prefix,
            len(prefix) + len(content),
            acceptance.at,
            Flags(0),
        )

    def _later(self, delivery: Delivery) -> Millis:
        """Twice as long each time."""
        wait = min(FIRST_RETRY * 2 ** min(delivery.tries, 10), LONGEST_RETRY)
        return Millis(self._clock() + wait // timedelta(milliseconds=1))

    def _published(self, changes: Sequence[object]) -> None:
        if any(isinstance(change, Queued | DirectoryChanged) for change in changes):
            self._wake.set()


def store(tx: Transaction, id_: DeliveryId, message: NewMessage, at: Millis) -> Delivery | None:
    """Put the message into its mailbox and finish the row, in one transaction; nothing if somebody did it before."""
    waiting = entries.lock_waiting(tx, id_)
    locked = mailboxes.lock(tx, [message.mailbox])
    if waiting is None or not locked:
        return None
    (placed,) = messages.put(tx, locked, [message], at)
    done = replace(
        waiting,
        state=State.STORED,
        reason=None,
        account=message.mailbox.account,
        mailbox=message.mailbox.id,
        uid=placed.uid,
        finished_at=at,
    )
    entries.finish(tx, done)
    return done
