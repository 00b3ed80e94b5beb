"""8BITMIME: content with octets above 127 (RFC 6152). It is stored as it comes, declared or not."""

from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.extensions.extension import Extension, always
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession

BODIES = ("7BIT", "8BITMIME")


def body(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:  # noqa: ARG001 - the signature of a parameter
    """body-value ::= 7BIT / 8BITMIME (RFC 6152 section 2)"""
    if value.upper() not in BODIES:
        return replies.BAD_ARGUMENTS.saying("BODY is 7BIT or 8BITMIME")
    envelope.body = value.upper()
    return None


EXTENSION = Extension("8BITMIME", 6152, always("8BITMIME"), mail={"BODY": body})
