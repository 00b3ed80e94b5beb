"""DSN: what the sender wants to hear of the delivery, and when (RFC 3461). Checked here, kept in the ledger for who reports."""

from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope, Wishes
from mailhost.smtp.extensions.extension import Extension, always
from mailhost.smtp.grammar import decoded_utf8_address, decoded_xtext, is_atom
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPSession

LONGEST_ENVID = 100
LONGEST_ORCPT = 500
"""Characters, as they are sent (RFC 3461 sections 4.4 and 4.2)."""
RETURNS = ("FULL", "HDRS")
EVENTS = ("SUCCESS", "FAILURE", "DELAY")


def ret(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:  # noqa: ARG001 - the signature of a parameter
    """ret-value = FULL / HDRS"""
    if value.upper() not in RETURNS:
        return replies.BAD_ARGUMENTS.saying("RET is FULL or HDRS")
    envelope.ret = value.upper()
    return None


def envid(session: SMTPSession, envelope: Envelope, value: str) -> Reply | None:  # noqa: ARG001 - the signature of a parameter
    """envid-value = xtext"""
    envelope.envid = decoded_xtext(value) if len(value) <= LONGEST_ENVID else None
    return None if envelope.envid else replies.BAD_ARGUMENTS.saying("ENVID is xtext of at most 100 characters")


def notify(session: SMTPSession, wishes: Wishes, value: str) -> Reply | None:  # noqa: ARG001 - the signature of a parameter
    """notify-esmtp-value = "NEVER" / 1#notify-list-element"""
    wanted = value.upper().split(",")
    if wanted != ["NEVER"] and (len(set(wanted)) != len(wanted) or not set(wanted) <= set(EVENTS)):
        return replies.BAD_ARGUMENTS.saying("NOTIFY is NEVER, or a list of SUCCESS, FAILURE and DELAY, each once")
    wishes.notify = ",".join(wanted)
    return None


def orcpt(session: SMTPSession, wishes: Wishes, value: str) -> Reply | None:
    """original-recipient-address = addr-type ";" xtext; of type utf-8 as RFC 6533 section 3 has it"""
    kind, separator, written = value.partition(";")
    address = None
    if separator and is_atom(kind) and len(value) <= LONGEST_ORCPT:
        address = _original(session, kind.lower(), written)
    if not address:
        return replies.BAD_ARGUMENTS.saying(
            "ORCPT is a type, a semicolon, and an address in xtext; 500 characters at most"
        )
    wishes.original = f"{kind.lower()};{address}"
    return None


def _original(session: SMTPSession, kind: str, written: str) -> str | None:
    """The address by its meaning. UTF-8 itself comes only where the transaction has said SMTPUTF8 (RFC 6533 section 3)."""
    if kind != "utf-8":
        return decoded_xtext(written)
    if not written.isascii() and not session.envelope.smtputf8:
        return None
    return decoded_utf8_address(written)


EXTENSION = Extension(
    "DSN", 3461, always("DSN"), mail={"RET": ret, "ENVID": envid}, rcpt={"NOTIFY": notify, "ORCPT": orcpt}
)
