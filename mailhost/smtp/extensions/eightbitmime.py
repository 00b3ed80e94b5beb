"""8BITMIME: content with octets above 127 (RFC 6152). It is stored as it comes, declared or not."""

from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.extensions.extension import Extension, always
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession


def body(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:
    """body-value ::= "7BIT" / "8BITMIME" / "BINARYMIME" (RFC 6152 section 2; RFC 3030 section 3)"""
    if value.upper() not in session.dialect.bodies:
        return replies.BAD_ARGUMENTS.saying(f"BODY is one of {', '.join(session.dialect.bodies)}")
    envelope.body = value.upper()
    return None


EXTENSION = Extension("8BITMIME", 6152, always("8BITMIME"), mail={"BODY": body}, bodies=("7BIT", "8BITMIME"))
