"""FUTURERELEASE: a message is accepted now and goes on at a later time, to mailboxes here too (RFC 4865)."""

from datetime import UTC, datetime, timedelta

from mailhost.ids import Millis, now
from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.extensions.extension import Extension
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession

MOST_DIGITS = 9
BEYOND = replies.BAD_ARGUMENTS.saying("That is longer than EHLO offers")
TWICE = replies.BAD_ARGUMENTS.saying("HOLDFOR or HOLDUNTIL, not both")


def announced(session: SMTPSession) -> tuple[str, ...]:
    """future-release-max-interval and future-release-max-date-time (RFC 4865 section 3)."""
    longest = session.settings.longest_hold
    if not longest:
        return ()
    latest = datetime.now(UTC) + timedelta(seconds=longest)
    return (f"FUTURERELEASE {longest} {latest:%Y-%m-%dT%H:%M:%SZ}",)


def hold_for(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:
    """holdfor-param = "HOLDFOR=" future-release-interval: 1 to 9 digits, seconds"""
    if not (value.isascii() and value.isdigit() and len(value) <= MOST_DIGITS and int(value)):
        return replies.BAD_ARGUMENTS.saying("HOLDFOR is a number of seconds")
    return _hold(session, envelope, Millis(now() + int(value) * 1000))


def hold_until(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:
    """holduntil-param = "HOLDUNTIL=" future-release-date-time, as RFC 3339 writes it"""
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or "T" not in value.upper():
        return replies.BAD_ARGUMENTS.saying("HOLDUNTIL is a time such as 2026-12-24T18:00:00Z")
    return _hold(session, envelope, Millis(int(moment.timestamp() * 1000)))


def _hold(session: SMTPSession, envelope: Envelope, at: Millis) -> Reply | None:
    if not session.settings.longest_hold:
        return replies.UNKNOWN_PARAMETER
    if envelope.release_at is not None:
        return TWICE
    if at > now() + session.settings.longest_hold * 1000:
        return BEYOND
    envelope.release_at = at
    return None


EXTENSION = Extension("FUTURERELEASE", 4865, announced, mail={"HOLDFOR": hold_for, "HOLDUNTIL": hold_until})
