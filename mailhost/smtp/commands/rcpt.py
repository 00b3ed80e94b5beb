"""RCPT: one recipient, answered on its own (RFC 5321 section 4.1.1.3)."""

from dataclasses import replace

from mailhost.message.address import Address
from mailhost.smtp import replies
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPCommand, SMTPSession, State


def parse(reader: Reader) -> Address:
    """Rcpt = "RCPT TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF"""
    path = reader.forward_path()
    reader.end()
    return path


async def run(session: SMTPSession, recipient: Address) -> Reply:
    """Accept what we host; relay the rest for logged-in users only (RFC 5321 section 3.6.2)."""
    if len(session.envelope.recipients) >= session.settings.most_recipients:
        return replies.TOO_MANY_RECIPIENTS
    if not str(recipient).isascii():
        return replies.UTF8_NOT_ANNOUNCED
    if not recipient.domain:  # RCPT TO:<postmaster>
        recipient = replace(recipient, domain=session.services.postmaster_domain)
    to = await session.services.directory.route(recipient.local, recipient.domain)
    if not to.is_local and session.login is None:
        return replies.RELAY_DENIED
    session.envelope.recipients.append(to)
    return replies.RECIPIENT_OK


RCPT = SMTPCommand("RCPT", frozenset({State.MAIL, State.RECIPIENTS}), parse, run, rfc=5321)
