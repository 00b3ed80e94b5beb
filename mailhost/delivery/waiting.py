"""Local deliveries that could not be stored at once: stored when their time has come, woken by a commit and by a timer."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import is_to_tell, message_for
from mailhost.delivery.arrival import structure_of
from mailhost.delivery.route import Place, resolve
from mailhost.delivery.surrogate import Made, forms_in, surrogate_of
from mailhost.events.event import FAULT, STORE_ADD, Events
from mailhost.ids import DeliveryId, MessageId, Millis, fresh, now
from mailhost.message.budget import Limits
from mailhost.queue import entries
from mailhost.queue.changes import DoneHere, Queued
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.store import blobs, mailboxes, messages
from mailhost.store.octets import BlobStore
from mailhost.store.values import Content, NewMessage, PreparedBlob
from mailhost.users.changes import DirectoryChanged

AT_ONCE = 50
LOOK_EVERY = timedelta(seconds=60)
FIRST_RETRY = timedelta(minutes=1)
LONGEST_RETRY = timedelta(hours=1)


class WaitingDeliveries:
    """The background task. It gives up nothing: a row that cannot be stored waits on, and the ledger says why; one for nobody any more is cancelled."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        events: Events,
        limits: Limits = Limits(),
        clock: Callable[[], Millis] = now,
    ) -> None:
        self._database = database
        self._blobs = blobs
        self._events = events
        self._clock = clock
        self._limits = limits
        self._wake = asyncio.Event()
        database.subscribe(self._published)

    def look(self) -> None:
        """Another process has changed what waits."""
        self._wake.set()

    async def run(self) -> None:
        """Again and again. The task is the caller's to watch and to cancel."""
        while True:
            self._wake.clear()  # before we look: whoever queues meanwhile wakes us again
            pause = LOOK_EVERY.total_seconds()
            try:
                await self.deliver_due()
                pause = await self._pause()
            except CommitFailed as failure:
                self._events.publish(FAULT, cause=f"waiting deliveries: {failure}")
            try:
                await asyncio.wait_for(self._wake.wait(), pause)
            except TimeoutError:
                continue

    async def _pause(self) -> float:
        """Seconds until the next one is due; a row that somebody else has put in wakes us, or is found in a minute."""
        due = await self._database.read(entries.next_due_here)
        longest = LOOK_EVERY.total_seconds()
        return longest if due is None else min(max(due - self._clock(), 0) / 1000, longest)

    async def deliver_due(self) -> int:
        """Try each row that is due, once; answers with how many were stored."""
        stored, is_more = 0, True
        while is_more:
            due = await self._database.read(entries.due_here, self._clock(), AT_ONCE)
            for delivery, acceptance in due:
                stored += await self._try(delivery, acceptance)
            is_more = len(due) == AT_ONCE
        return stored

    async def _try(self, delivery: Delivery, acceptance: Acceptance) -> bool:
        """Afterwards the row is not due any more: stored by us or by somebody else, or put off."""
        try:
            return await self._deliver(delivery, acceptance)
        except CommitFailed:
            raise
        except Exception as fault:  # noqa: BLE001 - one message that cannot be read must not stop the others, nor the service
            await self._put_off(delivery, acceptance, fault)
        return False

    async def _put_off(self, delivery: Delivery, acceptance: Acceptance, fault: Exception) -> None:
        self._events.publish(
            FAULT, journey=acceptance.journey, cause=f"waiting delivery: {fault!r}", data={"exception": fault}
        )
        await self._database.write(entries.defer, delivery.id, "it could not be read", self._later(delivery))

    async def _deliver(self, delivery: Delivery, acceptance: Acceptance) -> bool:
        places = await self._places(delivery)
        if not places:
            await self._database.write(entries.cancel, delivery.id, "its account is no more", self._clock())
            return False
        place = next((each for each in places if each.mailbox is not None), None)
        if place is None or place.mailbox is None:
            await self._database.write(entries.defer, delivery.id, "its mailbox is not there", self._later(delivery))
            return False
        content, other = await self._content(acceptance)
        message = message_for(
            acceptance, content, delivery.recipient, place.mailbox, MessageId(fresh()), lambda: MessageId(fresh())
        )
        done = await self._store(delivery, message, other)
        if done is not None:
            data = {"recipient": done.recipient, "state": "stored", "uid": done.uid, "octets": message.size}
            self._events.publish(STORE_ADD, journey=acceptance.journey, data=data)
        return done is not None

    async def _places(self, delivery: Delivery) -> list[Place]:
        """Looked up again: the account may have another mailbox by now, or be gone, its domain too."""
        local_part, _, domain = delivery.recipient.rpartition("@")
        places, _ = await self._database.read(resolve, local_part, domain)
        return [place for place in places if not place.domain]

    async def _content(self, acceptance: Acceptance) -> tuple[Content, Made | None]:
        """What arrival made of it then; its surrogate is made anew, as no row had it."""
        blob = await self._database.read(blobs.stored_one, acceptance.blob)
        octets = b"".join([piece async for piece in self._blobs.blob_pieces(blob.id, 0, blob.size)])
        structure = await structure_of(self._blobs, octets, self._limits)
        crlf_size = len(octets) + 2 if octets and not octets.endswith(b"\r\n") else None
        may_hold = forms_in(acceptance)
        other = may_hold and await surrogate_of(self._blobs, octets, structure, may_hold, self._limits)
        if not other:
            return Content(blob, structure, crlf_size=crlf_size), None
        return Content(blob, structure, other.requires, other.content, crlf_size), other

    async def _store(self, delivery: Delivery, message: NewMessage, other: Made | None) -> Delivery | None:
        if other is None:
            return await self._database.write(store, delivery.id, message, None, self._clock())
        try:
            done = await self._database.write(store, delivery.id, message, other.content.blob, self._clock())
            if done is None:  # no row names it
                await other.discard()
            return done
        finally:
            await other.release()

    def _later(self, delivery: Delivery) -> Millis:
        """Twice as long each time."""
        wait = min(FIRST_RETRY * 2 ** min(delivery.tries, 10), LONGEST_RETRY)
        return Millis(self._clock() + wait // timedelta(milliseconds=1))

    def _published(self, changes: Sequence[object]) -> None:
        if any(isinstance(change, DirectoryChanged) or _is_for_here(change) for change in changes):
            self._wake.set()


def _is_for_here(change: object) -> bool:
    return isinstance(change, Queued) and any(not share.destination for share in change.shares)


def store(
    tx: Transaction, id_: DeliveryId, message: NewMessage, surrogate_blob: PreparedBlob | None, at: Millis
) -> Delivery | None:
    """Put the message into its mailbox and finish the row, in one transaction; nothing if somebody did it before."""
    waiting = entries.lock_waiting(tx, id_)
    locked = mailboxes.lock(tx, [message.mailbox])
    if waiting is None or not locked:
        return None
    if surrogate_blob is not None:
        blobs.insert_many(tx, [surrogate_blob])
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
    if is_to_tell(done):
        tx.announce(DoneHere(frozenset({done.journey})))
    return done
