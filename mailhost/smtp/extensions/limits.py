"""LIMITS: how many recipients a message may have, and a session messages, is told before they are reached (RFC 9422)."""

from mailhost.smtp.extensions.extension import Extension
from mailhost.smtp.session import SMTPSession


def announced(session: SMTPSession) -> tuple[str, ...]:
    """Limits-param-list of RCPTMAX and MAILMAX, as this listener's settings have them."""
    return (f"LIMITS RCPTMAX={session.settings.most_recipients} MAILMAX={session.settings.most_transactions}",)


EXTENSION = Extension("LIMITS", 9422, announced)
