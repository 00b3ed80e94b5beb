"""SIZE: the largest message is announced, and a declared one too large is refused before it is sent (RFC 1870)."""

from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.extensions.extension import Extension
from mailhost.smtp.grammar import number
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession

LARGEST_NUMBER = 10**20 - 1


def size(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:  # noqa: ARG001 - the signature of a parameter
    """size-value ::= 1*20DIGIT"""
    declared = number(value, "SIZE", LARGEST_NUMBER)
    return replies.MESSAGE_TOO_LARGE if declared > session.settings.message_octets else None


EXTENSION = Extension("SIZE", 1870, lambda session: (f"SIZE {session.settings.message_octets}",), mail={"SIZE": size})
