"""RCPT: one recipient, answered on its own (RFC 5321 section 4.1.1.3)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from mailhost.delivery.route import Recipient
from mailhost.message.address import Address
from mailhost.smtp import replies
from mailhost.smtp.envelope import Wishes
from mailhost.smtp.grammar import Reader
from mailhost.smtp.replies import Reply
from mailhost.smtp.session import SMTPCommand, SMTPSession, State, take_parameters

MOST_COPIES = 10_000
"""Of one message: a stranger may name a large group as often as there may be recipients. A single one passes, however large."""


@dataclass(frozen=True, slots=True)
class Rcpt:
    forward_path: Address
    parameters: Mapping[str, str]
    is_ascii: bool
    """Whether the path needs no SMTPUTF8."""


def parse(reader: Reader) -> Rcpt:
    """Rcpt = "RCPT TO:" ( "<Postmaster>" / Forward-path ) [SP Rcpt-parameters] CRLF"""
    path, parameters = reader.forward_path(), reader.parameters()
    return Rcpt(path, parameters, reader.path_is_ascii)


async def run(session: SMTPSession, request: Rcpt) -> Reply:
    """Accept what we host; relay the rest for logged-in users and listed networks only (RFC 5321 section 3.6.2)."""
    recipient, wishes = request.forward_path, Wishes()
    session.asked = recipient
    refusal = take_parameters(session, session.dialect.rcpt, wishes, request.parameters)
    if refusal is not None:
        return refusal
    if len(session.envelope.recipients) >= session.settings.most_recipients:
        return replies.TOO_MANY_RECIPIENTS
    if not request.is_ascii and not session.envelope.smtputf8:
        return replies.SMTPUTF8_WANTED
    if not recipient.domain:  # RCPT TO:<postmaster>
        recipient = replace(recipient, domain=await session.services.directory.home(session.services.host))
    to = await session.services.directory.route(recipient.local, recipient.domain)
    if not to.is_local and not session.may_relay:
        return replies.RELAY_DENIED
    if session.envelope.recipients and _copies(session.envelope.recipients) + len(to.routes) > MOST_COPIES:
        return replies.TOO_MANY_RECIPIENTS
    if request.parameters:
        to = replace(to, notify=wishes.notify, original=wishes.original)
    session.envelope.recipients.append(to)
    session.idle_commands = 0
    return replies.RECIPIENT_OK


def _copies(recipients: Sequence[Recipient]) -> int:
    return sum(len(each.routes) for each in recipients)


RCPT = SMTPCommand("RCPT", frozenset({State.MAIL, State.RECIPIENTS}), parse, run, rfc=5321)
