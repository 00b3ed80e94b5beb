"""SIZE: the largest message is announced, and a declared one too large is refused before it is sent (RFC 1870)."""

from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.extensions.extension import Extension
from mailhost.smtp.grammar import number
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession

LARGEST_NUMBER = 10**20 - 1


def size(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:
    """size-value ::= 1*20DIGIT"""
    envelope.declared_octets = number({"SIZE": value}, "SIZE", LARGEST_NUMBER)
    if (envelope.declared_octets or 0) > session.settings.message_octets:
        return replies.MESSAGE_TOO_LARGE
    return None


EXTENSION = Extension("SIZE", 1870, lambda session: (f"SIZE {session.settings.message_octets}",), mail={"SIZE": size})
