"""What the sender is to hear of, by what happened and by what he asked for (RFC 3461 section 4.1). Pure: no database, no clock."""

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from mailhost.ids import DeliveryId, Millis
from mailhost.message.report import Action
from mailhost.queue.claims import Result
from mailhost.queue.values import Delivery, State
from mailhost.relay.deadline import TOO_LATE


class Kind(enum.Enum):
    """One notice tells of all recipients of one kind."""

    FAILED = enum.auto()
    DELAYED = enum.auto()
    DONE = enum.auto()


@dataclass(frozen=True, slots=True)
class Happened:
    """To one recipient."""

    delivery: Delivery
    action: Action
    status: str
    reason: str | None = None
    reply: str | None = None
    host: str | None = None
    at: Millis | None = None
    given_up: bool = False
    """Whether it was tried until its time was over."""
    timed: bool | None = None
    """Of one that went on, where the sender set a time: whether the host keeps to it (RFC 2852)."""

    @property
    def written(self) -> str:
        """The address that the sender wrote, as far as it is known."""
        kind, separator, address = self.delivery.original.partition(";")
        return address if separator and kind in ("rfc822", "utf-8") else self.delivery.original


BY_DEFAULT = frozenset({Kind.FAILED, Kind.DELAYED})
WORDS: Mapping[str, Kind] = {"FAILURE": Kind.FAILED, "DELAY": Kind.DELAYED, "SUCCESS": Kind.DONE}
"""RFC 3461 section 4.1; NEVER is none of them."""


def wanted(notify: str | None) -> frozenset[Kind]:
    """What the sender of one recipient wants to hear of."""
    if notify is None:
        return BY_DEFAULT
    return frozenset(WORDS[word] for word in notify.split(",") if word in WORDS)


def ended(deliveries: Sequence[Delivery], results: Iterable[Result]) -> dict[Kind, list[Happened]]:
    """What is final of a try: failed, or in the hands of a host that will not report itself."""
    by_id = {each.id: each for each in deliveries}
    found: dict[Kind, list[Happened]] = {}
    for result in results:
        delivery = by_id[result.delivery]
        if result.state in (State.BOUNCED, State.EXPIRED):
            kind, happened = Kind.FAILED, _failed(delivery, result)
        elif result.state is State.RELAYED:
            kind, happened = Kind.DONE, replace(_of(delivery, result, Action.RELAYED), timed=result.timed)
        else:
            continue
        if (kind in wanted(delivery.notify) and not result.reports) or _is_timed(delivery, result):
            found.setdefault(kind, []).append(happened)
    return found


def _is_timed(delivery: Delivery, result: Result) -> bool:
    """Who set a time hears that it went on, unless he wants to hear of nothing (RFC 2852 section 4)."""
    return result.timed is not None and bool(wanted(delivery.notify))


def is_late(deliveries: Sequence[Delivery], results: Iterable[Result], since: Millis) -> bool:
    """Whether somebody waits still for whom the sender wants to hear of a delay, and has not. `since`: what began before it is late."""
    by_id = {each.id: each for each in deliveries}
    return any(
        each.state is State.WAITING
        and each.at >= since
        and by_id[each.delivery].told_at is None
        and Kind.DELAYED in wanted(by_id[each.delivery].notify)
        for each in results
    )


def late(rows: Sequence[Delivery], results: Iterable[Result], untried: str = "4.0.0") -> list[Happened]:
    """All recipients of a message that wait still: what the last try said, be it this one or one before. Nothing, if it was told.

    `untried` is the status where there was none.
    """
    if any(each.told_at is not None for each in rows):
        return []
    just_now = {each.delivery: each for each in results}
    return [
        _of(row, now, Action.DELAYED) if (now := just_now.get(row.id)) else _before(row, untried)
        for row in rows
        if Kind.DELAYED in wanted(row.notify) and (row.id not in just_now or just_now[row.id].state is State.WAITING)
    ]


def failed_before(rows: Iterable[Delivery]) -> list[Happened]:
    """What the ledger knows of failures that were not told when they came."""
    return [
        Happened(
            each,
            Action.FAILED,
            each.status or "5.0.0",
            each.reason,
            each.reply,
            each.host,
            each.finished_at,
            given_up=each.state is State.EXPIRED and each.status != TOO_LATE,
        )
        for each in rows
    ]


def done_here(deliveries: Sequence[Delivery], children: Mapping[DeliveryId, int]) -> list[Happened]:
    """Delivered into a mailbox, or handed on to the members of an alias (RFC 3461 section 5.2.7)."""
    return [
        Happened(
            each,
            Action.DELIVERED if each.state is State.STORED else Action.EXPANDED,
            "2.0.0" if each.state is State.STORED else "2.1.5",
            at=each.finished_at,
        )
        for each in deliveries
        if Kind.DONE in wanted(each.notify) and (each.state is State.STORED or children.get(each.id, 0) > 1)
    ]


def _failed(delivery: Delivery, result: Result) -> Happened:
    """What was given up keeps the status of its last try: a lasting transient failure (RFC 3463 section 2)."""
    given_up = result.state is State.EXPIRED and result.status != TOO_LATE
    return replace(_of(delivery, result, Action.FAILED), given_up=given_up)


def _of(delivery: Delivery, result: Result, action: Action) -> Happened:
    return Happened(delivery, action, result.status, result.reason, result.reply, result.host, result.at)


def _before(row: Delivery, untried: str) -> Happened:
    return Happened(row, Action.DELAYED, row.status or untried, row.reason, row.reply, row.host)
