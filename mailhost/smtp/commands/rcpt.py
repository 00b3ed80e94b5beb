"""RCPT: one recipient, answered on its own (RFC 5321 section 4.1.1.3)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mailhost.message.address import Address
from mailhost.smtp import replies
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPCommand, SMTPSession, State


@dataclass(frozen=True, slots=True)
class Rcpt:
    forward_path: Address
    parameters: Mapping[str, str]


def parse(reader: Reader) -> Rcpt:
    """Rcpt = "RCPT TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF"""
    return Rcpt(reader.forward_path(), reader.parameters())


async def run(session: SMTPSession, request: Rcpt) -> Reply:
    """Accept what we host; relay the rest for logged-in users only (RFC 5321 section 3.6.2)."""
    recipient = request.forward_path
    if request.parameters:  # no extension here adds one to RCPT
        return replies.UNKNOWN_PARAMETER
    if len(session.envelope.recipients) >= session.settings.most_recipients:
        return replies.TOO_MANY_RECIPIENTS
    if not str(recipient).isascii():
        return replies.UTF8_NOT_ANNOUNCED
    if not recipient.domain:  # RCPT TO:<postmaster>
        recipient = replace(recipient, domain=await session.services.directory.home(session.services.host))
    to = await session.services.directory.route(recipient.local, recipient.domain)
    if not to.is_local and session.login is None:
        return replies.RELAY_DENIED
    session.envelope.recipients.append(to)
    return replies.RECIPIENT_OK


RCPT = SMTPCommand("RCPT", frozenset({State.MAIL, State.RECIPIENTS}), parse, run, rfc=5321)
