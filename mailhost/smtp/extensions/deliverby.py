"""DELIVERBY: the sender says until when a message is of use, and what shall happen when it is late (RFC 2852)."""

import re

from mailhost.ids import Millis, now
from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.extensions.extension import Extension
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession

_BY = re.compile(r"([-+]?[0-9]{1,9});([NR]T?)", re.IGNORECASE)
RETURN = "R"
BAD = replies.BAD_ARGUMENTS.saying(
    "BY is SECONDS;R (return it when it is late) or SECONDS;N (tell me), and T for a trace"
)
NEVER_IN_TIME = replies.BAD_ARGUMENTS.saying("What is to be returned when it is late needs more than 0 seconds")


def announced(session: SMTPSession) -> tuple[str, ...]:
    """min-by-time, the shortest that is taken with R (RFC 2852 section 3)."""
    shortest = session.settings.shortest_deliver_by
    return (f"DELIVERBY {shortest}" if shortest else "DELIVERBY",)


def by(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:
    """by-value = by-time ";" by-mode [by-trace] (RFC 2852 section 4)

    Counted from now. With N the time may be over: then the sender has been told of it by another host.
    """
    found = _BY.fullmatch(value)
    if found is None:
        return BAD
    seconds, mode = int(found[1]), found[2].upper()
    if mode.startswith(RETURN):
        if seconds <= 0:
            return NEVER_IN_TIME
        if seconds < session.settings.shortest_deliver_by:
            return replies.TOO_SOON.saying(f"No less than {session.settings.shortest_deliver_by} seconds, please")
    envelope.deliver_by, envelope.by_mode = Millis(now() + seconds * 1000), mode
    return None


EXTENSION = Extension("DELIVERBY", 2852, announced, mail={"BY": by})
