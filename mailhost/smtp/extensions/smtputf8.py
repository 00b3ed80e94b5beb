"""SMTPUTF8: UTF-8 in addresses and header (RFC 6531). Who cannot read it is served another form, which `delivery.arrival` makes."""

from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.extensions.extension import Extension, always
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession


def smtputf8(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:  # noqa: ARG001 - the signature of a parameter
    """It has no value (RFC 6531 section 3.1)."""
    if value:
        return replies.BAD_ARGUMENTS.saying("SMTPUTF8 has no value")
    envelope.smtputf8 = True
    return None


EXTENSION = Extension("SMTPUTF8", 6531, always("SMTPUTF8"), mail={"SMTPUTF8": smtputf8}, needs="8BITMIME")
