"""What is due for other hosts: claimed with a lease by whoever carries it, and settled with what came of it.

A crash costs a lease, never a message: rows of a claimant that is gone are free when it starts again, or when the lease is over.
Every statement finds its rows by an index, however much waits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Integer, and_, bindparam, func, or_, select, update

from mailhost.database.hot import Hot
from mailhost.database.marks import long, long_by, one_statement
from mailhost.database.transaction import Transaction
from mailhost.database.types import Among, one_of
from mailhost.ids import DeliveryId, JourneyId, Millis
from mailhost.queue.entries import ACCEPTANCE_COLUMNS, DELIVERY_COLUMNS, acceptance_from, delivery_from
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, Share, State

_WAITS = and_(delivery.c.state == State.WAITING, delivery.c.hold == 0)
ELSEWHERE = and_(_WAITS, delivery.c.destination != "", delivery.c.next_try.is_not(None))
NOBODY_THERE = ("4.4.1", "4.4.3", "4.4.4")
"""RFC 3463 section 3.5: no answer from the host, none from DNS, no route. Not 4.4.2: who broke off in the middle may do so at this very message."""


@dataclass(frozen=True, slots=True)
class Claim:
    """Who takes how much of what is due, and until when it is his."""

    shares: tuple[Share, ...]
    claimant: str
    now: Millis
    until: Millis
    most: int
    """Rows of each share."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What the claimant has now, and when he should come again."""

    rows: list[tuple[Delivery, Acceptance]]
    """Those of one share together, in the order of the claim; what waits longest first."""
    next: dict[Share, Millis]
    """When more of a share is due; shares that nothing else waits in are left out."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one try came to, for one recipient."""

    delivery: DeliveryId
    state: State
    status: str
    """RFC 3463."""
    reason: str
    """In plain words."""
    reply: str | None
    """What the host said; None when it said nothing."""
    host: str | None
    at: Millis
    next_try: Millis | None = None
    """For one that waits on."""
    reports: bool = False
    """Whether the host has DSN, and tells the sender itself (RFC 3461 section 5.2.1)."""
    timed: bool | None = None
    """Where the sender is to hear that it went on because he set a time: whether the host keeps to that (RFC 2852)."""


OF_SHARE = and_(
    delivery.c.destination == bindparam("whither"),
    delivery.c.sender == bindparam("whose"),
    delivery.c.priority == bindparam("how"),
)
SHARE = ("whither", "whose", "how")
DUE = Hot(
    select(delivery.c.id)
    .where(
        OF_SHARE,
        _WAITS,
        delivery.c.next_try <= bindparam("moment"),
        or_(
            delivery.c.leased_until.is_(None),
            and_(delivery.c.leased_until < bindparam("since"), delivery.c.leased_by != bindparam("claimant")),
        ),
    )
    .order_by(delivery.c.next_try, delivery.c.id)
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True),
    *SHARE,
    "moment",
    "since",
    "claimant",
    "most",
)
"""Its own are not free for a claimant when their lease is over, as after the clock was set: it carries them, or releases them."""
LATER = Hot(
    select(delivery.c.next_try)
    .where(OF_SHARE, _WAITS, delivery.c.next_try > bindparam("moment"))
    .order_by(delivery.c.next_try)
    .limit(1),
    *SHARE,
    "moment",
)
WITH_OTHERS = Hot(
    select(func.min(delivery.c.leased_until)).where(
        OF_SHARE,
        _WAITS,
        delivery.c.next_try <= bindparam("moment"),
        delivery.c.leased_until >= bindparam("since"),
        delivery.c.leased_by != bindparam("claimant"),
    ),
    *SHARE,
    "moment",
    "since",
    "claimant",
)
LEASE = Among(
    update(delivery).values(leased_by=bindparam("claimant"), leased_until=bindparam("until")),
    delivery.c.id,
    "claimant",
    "until",
)
STILL_DUE = Among(
    select(delivery.c.id).where(_WAITS, delivery.c.next_try <= bindparam("moment")), delivery.c.id, "moment"
)
DELIVERIES = Among(select(*DELIVERY_COLUMNS), delivery.c.id)
ACCEPTANCES = Among(select(*ACCEPTANCE_COLUMNS), acceptance.c.id)
SETTLE = Hot(
    update(delivery)
    .where(delivery.c.id == bindparam("which"), delivery.c.state == State.WAITING)
    .values(
        state=bindparam("now_state"),
        reason=bindparam("why"),
        status=bindparam("code"),
        last_reply=bindparam("said"),
        host=bindparam("who"),
        next_try=bindparam("again"),
        finished_at=bindparam("ended"),
        tries=delivery.c.tries + 1,
        leased_by=None,
        leased_until=None,
    ),
    *("which", "now_state", "why", "code", "said", "who", "again", "ended"),
)


@long_by(lambda claim: claim.most * len(claim.shares))
def take(tx: Transaction, claim: Claim) -> Taken:
    """Due deliveries that nobody has; they are the claimant's now."""
    ids: list[int] = []
    coming: dict[Share, Millis] = {}
    for share in claim.shares:
        its = [row[0] for row in tx.rows(DUE, (*share, claim.now, claim.now, claim.claimant, claim.most))]
        ids += its
        later = claim.now if len(its) == claim.most else _later(tx, share, claim)
        if later is not None:
            coming[share] = later
    if not ids:
        return Taken([], coming)
    statement, *values = LEASE(sorted(ids), claim.claimant, claim.until)
    tx.many(statement, [tuple(values)])
    return Taken(_rows(tx, ids), coming)


def _later(tx: Transaction, share: Share, claim: Claim) -> Millis | None:
    """What somebody else has counts when his lease is over."""
    ours = [row[0] for row in tx.rows(LATER, (*share, claim.now))]
    theirs = [row[0] for row in tx.rows(WITH_OTHERS, (*share, claim.now, claim.now, claim.claimant))]
    moments = [each for each in (*ours, *theirs) if each is not None]
    return Millis(min(moments)) if moments else None


def _rows(tx: Transaction, ids: Sequence[int]) -> list[tuple[Delivery, Acceptance]]:
    statement, *values = DELIVERIES(sorted(ids))
    deliveries = {row[0]: delivery_from(row) for row in tx.rows(statement, tuple(values))}
    statement, *values = ACCEPTANCES(sorted({each.journey for each in deliveries.values()}))
    accepted: dict[JourneyId, Acceptance] = {row[0]: acceptance_from(row) for row in tx.rows(statement, tuple(values))}
    return [(deliveries[id_], accepted[deliveries[id_].journey]) for id_ in ids]


@one_statement
def still_due(tx: Transaction, ids: Sequence[DeliveryId], at: Millis) -> set[DeliveryId]:
    """Those of what somebody has claimed that nobody has held, put off or ended since."""
    statement, *values = STILL_DUE(sorted(ids), at)
    return {DeliveryId(row[0]) for row in tx.rows(statement, tuple(values))}


def let_go(tx: Transaction, ids: Sequence[DeliveryId]) -> None:
    """They were not begun."""
    tx.execute(update(delivery).where(one_of(delivery.c.id, ids)).values(leased_by=None, leased_until=None))


@long_by(len)
def settle(tx: Transaction, results: Sequence[Result]) -> None:
    """Each row has its final state, or its next try; the lease is given back."""
    tx.many(SETTLE, [_settled(each) for each in results])


def _settled(each: Result) -> tuple[object, ...]:
    waits = each.state is State.WAITING
    again, ended = (each.next_try, None) if waits else (None, each.at)
    return each.delivery, int(each.state), each.reason, each.status, each.reply, each.host, again, ended


def renew(tx: Transaction, claimant: str, until: Millis) -> None:
    tx.execute(update(delivery).where(_his(claimant)).values(leased_until=until))


def release(tx: Transaction, claimant: str, destinations: Sequence[str] | None) -> int:
    """What a claimant that is gone had, or has given up for some destinations: it is due again."""
    where = _his(claimant) if destinations is None else and_(_his(claimant), _to(destinations))
    return tx.execute(update(delivery).where(where).values(leased_by=None, leased_until=None)).rowcount


@long
def come_again(tx: Transaction, destinations: Sequence[str], at: Millis) -> list[Share]:
    """Somebody is there again: what was put off because nobody was is due at once. Answers with the shares that have such rows."""
    columns = delivery.c.destination, delivery.c.sender, delivery.c.priority
    trouble = delivery.c.status.in_(NOBODY_THERE)
    put_off = and_(_WAITS, _to(destinations), delivery.c.next_try > at, delivery.c.leased_until.is_(None), trouble)
    shares = [Share(*row) for row in tx.execute(select(*columns).where(put_off).distinct())]
    if shares:
        tx.execute(update(delivery).where(put_off).values(next_try=at))
    return shares


@long
def due(tx: Transaction) -> dict[Share, Millis]:
    """Each share that something waits in, with the time of its next try."""
    columns = delivery.c.destination, delivery.c.sender, delivery.c.priority
    rows = tx.execute(select(*columns, func.min(delivery.c.next_try).label("at")).where(ELSEWHERE).group_by(*columns))
    return {Share(row.destination, row.sender, row.priority): row.at for row in rows}


def _his(claimant: str) -> ColumnElement[bool]:
    return delivery.c.leased_by == claimant


def _to(destinations: Sequence[str]) -> ColumnElement[bool]:
    return delivery.c.destination.in_(destinations)
