"""MAIL: a transaction begins (RFC 5321 section 4.1.1.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from mailhost.message.address import Address
from mailhost.smtp import replies
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPCommand, SMTPSession, State
from mailhost.users import addresses
from mailhost.users.values import Local


@dataclass(frozen=True, slots=True)
class Mail:
    reverse_path: Address | None
    parameters: Mapping[str, str]


def parse(reader: Reader) -> Mail:
    """Mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF"""
    return Mail(reader.reverse_path(), reader.parameters())


async def run(session: SMTPSession, request: Mail) -> Reply:
    """Who submits has logged in, and sends as itself (RFC 6409 section 6.1)."""
    if session.settings.submission and session.login is None:
        return replies.LOGIN_REQUIRED
    if request.reverse_path is not None and not str(request.reverse_path).isascii():
        return replies.UTF8_NOT_ANNOUNCED
    envelope = Envelope(request.reverse_path)
    for name, value in request.parameters.items():
        take = session.dialect.mail.get(name)
        refusal = replies.UNKNOWN_PARAMETER if take is None else take(session, envelope, value)
        if refusal is not None:
            return refusal
    if not await _is_own(session, request.reverse_path):
        return replies.NOT_YOUR_ADDRESS
    session.begin(envelope)
    return replies.SENDER_OK


async def _is_own(session: SMTPSession, reverse_path: Address | None) -> bool:
    """Whether a login may send as this address: its own, or an alias that leads to it."""
    if session.login is None or reverse_path is None:
        return True
    to = await session.services.database.read(addresses.destination, reverse_path.local, reverse_path.domain)
    return any(isinstance(target, Local) and target.account == session.login.account for target in to.targets)


MAIL = SMTPCommand("MAIL", frozenset({State.READY}), parse, run, rfc=5321)
