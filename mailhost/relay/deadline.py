"""Until when a message is of use, as its sender set it (DELIVERBY, RFC 2852). Pure: no database, no clock."""

from mailhost.ids import Millis
from mailhost.queue.claims import Result
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.smtp.client.outgoing import By

TOO_LATE, LATE = "5.4.7", "4.4.7"
"""Delivery time expired (RFC 3463 section 3.5): it comes back, or goes on."""
RETURN, NOTIFY, TRACE = "R", "N", "T"


def by_of(accepted: Acceptance, at: Millis) -> By | None:
    """What another host is to be told: the seconds that are left, and what happens then."""
    if accepted.deliver_by is None or not accepted.by_mode:
        return None
    return By((accepted.deliver_by - at) // 1000, accepted.by_mode)


def is_over(accepted: Acceptance, at: Millis) -> bool:
    """Whether it is to be returned now, and to be sent no more."""
    by = by_of(accepted, at)
    return by is not None and by.returns and by.seconds <= 0


def expired(accepted: Acceptance, row: Delivery, at: Millis) -> Result:
    """The answer of the last try, if there was one, stays beside it."""
    last = f"; {row.reason}" if row.tries and row.reason else ""
    reason = f"its sender wanted it back when it was not delivered within {_seconds(accepted):,} seconds{last}"
    return Result(row.id, State.EXPIRED, TOO_LATE, reason, row.reply, row.host, at)


def tells_when(accepted: Acceptance) -> Millis | None:
    """When the sender is to hear that it is late still. None where he has heard it from another host: it came with no time left."""
    mode, moment = accepted.by_mode or "", accepted.deliver_by
    return moment if mode.startswith(NOTIFY) and moment is not None and moment > accepted.at else None


def ends_when(accepted: Acceptance) -> Millis | None:
    """When it is returned."""
    return accepted.deliver_by if (accepted.by_mode or "").startswith(RETURN) else None


def tells_of_relay(accepted: Acceptance, *, keeps_time: bool) -> bool | None:
    """Whether the sender is to hear that another host has it, which keeps the time (True) or does not know it (False). None: he is not."""
    mode = accepted.by_mode or ""
    if mode.startswith(NOTIFY) and not keeps_time:
        return False
    return keeps_time if TRACE in mode else None


def _seconds(accepted: Acceptance) -> int:
    return ((accepted.deliver_by or accepted.at) - accepted.at + 500) // 1000
