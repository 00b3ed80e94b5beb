"""MAIL: a transaction begins (RFC 5321 section 4.1.1.2)."""

from collections.abc import Mapping
from dataclasses import dataclass

from mailhost.message.address import Address
from mailhost.smtp import replies
from mailhost.smtp.authors import first_foreign
from mailhost.smtp.envelope import Envelope
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPCommand, SMTPSession, State, take_parameters


@dataclass(frozen=True, slots=True)
class Mail:
    reverse_path: Address | None
    parameters: Mapping[str, str]
    is_ascii: bool
    """Whether the path needs no SMTPUTF8."""


def parse(reader: Reader) -> Mail:
    """Mail = "MAIL FROM:" Reverse-path [SP Mail-parameters] CRLF"""
    path, parameters = reader.reverse_path(), reader.parameters()
    return Mail(path, parameters, reader.path_is_ascii)


async def run(session: SMTPSession, request: Mail) -> Reply:
    """Who submits has logged in, and sends as itself (RFC 6409 section 6.1)."""
    session.asked = request.reverse_path
    if session.settings.submission and session.login is None:
        return replies.LOGIN_REQUIRED
    session.transactions += 1
    if session.transactions > session.settings.most_transactions:
        session.ended = True  # the others belong into another session (RFC 9422 section 4.1)
        return replies.TOO_MANY_TRANSACTIONS
    envelope = Envelope(request.reverse_path)
    refusal = take_parameters(session, session.dialect.mail, envelope, request.parameters)
    if refusal is not None:
        return refusal
    if envelope.is_late_before_release:
        return replies.LATE_BEFORE_RELEASE
    if not request.is_ascii and not envelope.smtputf8:
        return replies.SMTPUTF8_WANTED
    if not await _is_own(session, request.reverse_path):
        return replies.NOT_YOUR_ADDRESS
    session.begin(envelope)
    return replies.SENDER_OK


async def _is_own(session: SMTPSession, reverse_path: Address | None) -> bool:
    """Whether a login may send as this address: its own, or an alias that leads to it."""
    if session.login is None or reverse_path is None:
        return True
    return await session.services.database.read(first_foreign, session.login, (reverse_path,)) is None


MAIL = SMTPCommand("MAIL", frozenset({State.READY}), parse, run, rfc=5321)
