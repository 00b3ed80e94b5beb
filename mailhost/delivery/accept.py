"""The one transaction that makes a message ours: stored for those here, waiting for those elsewhere, each recipient one row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from mailhost.database.errors import Refused
from mailhost.database.marks import for_many
from mailhost.database.transaction import Transaction
from mailhost.delivery.route import Recipient, Route
from mailhost.delivery.surrogate import new_surrogate
from mailhost.ids import BlobId, DeliveryId, MailboxId, MessageId, fresh
from mailhost.message.address import Address
from mailhost.message.downgrade import downgraded
from mailhost.message.form import Form
from mailhost.message.received import delivered_to_field, return_path_field
from mailhost.queue import entries
from mailhost.queue.changes import DoneHere, Queued, Timed
from mailhost.queue.values import HELD, Acceptance, Delivery, State
from mailhost.store import blobs, mailboxes, messages
from mailhost.store.mailboxes import Locked
from mailhost.store.values import Content, Flags, MailboxKey, NewMessage, NewSurrogate, Placed

ONE_COPY = "another recipient of this message leads to the same address, which gets one copy"


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """A message with its envelope, checked and complete."""

    acceptance: Acceptance
    content: Content
    recipients: tuple[Recipient, ...]
    surrogates: dict[MailboxId, MessageId] = field(default_factory=dict)
    """Which rows its surrogates have got: an operation that runs again has the same."""

    @property
    def octets(self) -> int:
        return self.content.octets

    @property
    def rows(self) -> int:
        return sum(len(recipient.routes) for recipient in self.recipients)


@dataclass(frozen=True, slots=True)
class Accepted:
    """What the ledger now says: where each copy went."""

    deliveries: tuple[Delivery, ...]


@for_many
def accept(tx: Transaction, requests: Sequence[AcceptRequest]) -> list[Accepted | Refused]:
    """Store and queue (design: invariant 4, accepted recipients are the sum of the states). Nothing is looked up or refused here."""
    keys = [
        route.mailbox
        for each in requests
        if each.acceptance.release_at is None
        for recipient in each.recipients
        for route in recipient.routes
        if route.mailbox
    ]
    locked = mailboxes.lock(tx, keys) if keys else {}
    new = [message for each in requests for message in _messages(each, locked)]
    octets = [each.content.blob for each in requests]
    octets += [each.content.surrogate.blob for each in requests if each.content.surrogate is not None]
    blobs.insert_many(tx, octets)
    answers = messages.put(tx, locked, new, requests[0].acceptance.at)
    placed = {(message.blob, message.mailbox.id): place for message, place in zip(new, answers, strict=True)}
    accepted = [Accepted(tuple(_ledger(each, placed))) for each in requests]
    entries.insert_many(
        tx, [each.acceptance for each in requests], [row for each in accepted for row in each.deliveries]
    )
    waiting = frozenset(row.share for each in accepted for row in each.deliveries if row.state is State.WAITING)
    if waiting:
        tx.announce(Queued(waiting))
        moments = [each.acceptance.deliver_by for each in requests if each.acceptance.deliver_by is not None]
        if moments:
            tx.announce(Timed(min(moments)))
    asked = frozenset(row.journey for each in accepted for row in each.deliveries if row.notify and is_to_tell(row))
    if asked:
        tx.announce(DoneHere(asked))
    return list(accepted)


def is_to_tell(row: Delivery) -> bool:
    """Whether the sender asked to hear that it ended well here (RFC 3461 section 4.1)."""
    return "SUCCESS" in (row.notify or "") and row.state is not State.WAITING


def prefix_for(acceptance: Acceptance, address: str, begins_with_field: bool) -> bytes:
    """Our own fields before the sender's octets, the last hop on top (RFC 5321 section 4.4).

    Content that does not begin with a field is kept apart by an empty line: its first line must not extend ours.
    """
    reverse_path = address_of(acceptance.reverse_path) if acceptance.reverse_path else None
    fields = return_path_field(reverse_path) + delivered_to_field(address_of(address)) + acceptance.prefix
    return fields if begins_with_field else fields + b"\r\n"


def address_of(kept: str) -> Address:
    """An address as rows keep it: the local part by its meaning, without quotes."""
    local, _, domain = kept.rpartition("@")
    return Address(local, domain)


def _messages(request: AcceptRequest, locked: dict[MailboxId, Locked]) -> list[NewMessage]:
    """One copy a mailbox, however many recipients lead to it; none before its time."""
    if request.acceptance.release_at is not None:
        return []
    copies: dict[MailboxId, NewMessage] = {}
    for recipient in request.recipients:
        for route in recipient.routes:
            if route.mailbox and route.mailbox.id in locked and route.mailbox.id not in copies:
                copies[route.mailbox.id] = _message(request, route)
    return list(copies.values())


def _message(request: AcceptRequest, route: Route) -> NewMessage:
    assert route.mailbox is not None
    mailbox = route.mailbox.id

    def surrogate_id() -> MessageId:
        return request.surrogates.get(mailbox) or request.surrogates.setdefault(mailbox, MessageId(fresh()))

    return message_for(request.acceptance, request.content, route.address, route.mailbox, route.message, surrogate_id)


def message_for(
    acceptance: Acceptance,
    content: Content,
    address: str,
    mailbox: MailboxKey,
    id_: MessageId,
    surrogate_id: Callable[[], MessageId],
) -> NewMessage:
    """A recipient's copy: the octets as they came, behind our own fields; and its surrogate, where the one or the other needs it."""
    prefix = prefix_for(acceptance, address, content.structure.begins_with_field)
    surrogate = None
    if content.surrogate is not None or not prefix.isascii():
        surrogate = _surrogate(acceptance, content, address, surrogate_id())
    size, crlf_size = len(prefix) + content.blob.size, content.crlf_size_after(prefix)
    return NewMessage(
        mailbox,
        id_,
        content.blob.id,
        content.structure,
        prefix,
        size,
        acceptance.at,
        Flags(0),
        crlf_size=crlf_size,
        surrogate=surrogate,
    )


def _surrogate(acceptance: Acceptance, content: Content, address: str, id_: MessageId) -> NewSurrogate:
    """Of the message, or of its prefix alone: an address may be in UTF-8 though the message is not."""
    its = content.surrogate or content
    prefix = prefix_for(acceptance, address, its.structure.begins_with_field)
    in_prefix = Form.PLAIN if prefix.isascii() else Form.UTF8
    return new_surrogate(id_, its, downgraded(prefix), content.requires | in_prefix)


def _ledger(request: AcceptRequest, placed: dict[tuple[BlobId, MailboxId], Placed]) -> list[Delivery]:
    rows = []
    acceptance = request.acceptance
    carriers = _carriers(request) if request.rows > 1 else {}
    for recipient in request.recipients:
        original = recipient.original or recipient.address
        if recipient.expanded:
            rows.append(
                Delivery(
                    recipient.delivery,
                    acceptance.journey,
                    None,
                    recipient.address,
                    original,
                    "",
                    State.EXPANDED,
                    finished_at=acceptance.at,
                    notify=recipient.notify,
                )
            )
        parent = recipient.delivery if recipient.expanded else None
        notify = of_members(recipient.notify) if len(recipient.routes) > 1 else recipient.notify
        rows += [_row(request, recipient, route, parent, placed, notify, carriers) for route in recipient.routes]
    return rows


def _carriers(request: AcceptRequest) -> dict[MailboxId | str, DeliveryId]:
    """Of recipients that lead to one address, whose row carries the message there: one that was named himself, and wants to hear of it."""
    carriers: dict[MailboxId | str, DeliveryId] = {}
    if len({_end_of(route) for recipient in request.recipients for route in recipient.routes}) == request.rows:
        return carriers  # as nearly always: nobody is led to twice
    for recipient in sorted(request.recipients, key=lambda each: (each.expanded, each.notify == "NEVER")):
        for route in recipient.routes:
            carriers.setdefault(_end_of(route), route.delivery)
    return carriers


def _end_of(route: Route) -> MailboxId | str:
    return route.mailbox.id if route.mailbox else route.address


def of_members(notify: str | None) -> str | None:
    """An alias of many is told of as expanded, and no more of its members' success (RFC 3461 section 5.2.7)."""
    if notify is None:
        return None
    return ",".join(word for word in notify.split(",") if word != "SUCCESS") or "NEVER"


def _row(
    request: AcceptRequest,
    recipient: Recipient,
    route: Route,
    parent: DeliveryId | None,
    placed: dict[tuple[BlobId, MailboxId], Placed],
    notify: str | None,
    carriers: dict[MailboxId | str, DeliveryId],
) -> Delivery:
    acceptance = request.acceptance
    original = recipient.original or recipient.address
    row = partial(Delivery, route.delivery, acceptance.journey, parent, route.address, original, notify=notify)
    place = placed.get((acceptance.blob, route.mailbox.id)) if route.mailbox else None
    if route.mailbox and place is not None:
        account, mailbox = route.mailbox.account, route.mailbox.id
        at = acceptance.at
        return row("", State.STORED, account=account, mailbox=mailbox, uid=place.uid, finished_at=at)
    if carriers.get(_end_of(route), route.delivery) != route.delivery:
        return row(route.domain, State.DISCARDED, reason=ONE_COPY, finished_at=acceptance.at)
    reason = "relay to other hosts" if route.domain else "its mailbox was not there"
    if acceptance.release_at is not None:
        reason = HELD
    return row(
        route.domain,
        State.WAITING,
        reason=reason,
        next_try=acceptance.release_at or acceptance.at,
        sender=acceptance.login or 0,
        priority=acceptance.priority,
    )
