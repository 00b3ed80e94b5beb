"""The AUTHORIZATION state: who is it? USER and PASS (RFC 1939 section 7), AUTH (RFC 5034), STLS (RFC 2595), CAPA (RFC 2449)."""

from mailhost.conversation import login
from mailhost.conversation.command import Command, SyntaxProblem
from mailhost.conversation.login import LONGEST_RESPONSE, may_log_in
from mailhost.message.form import Form
from mailhost.pop3 import responses
from mailhost.pop3.grammar import Reader
from mailhost.pop3.responses import Answer
from mailhost.pop3.session import ANY_STATE, AUTHORIZATION, Announce, POP3Command, POP3Session
from mailhost.sasl.mechanism import SASLAborted, SASLProblem
from mailhost.transport.channel import ChannelError


class PlaintextBehindSTLS(ChannelError):
    """Something came in clear behind STLS, perhaps from a third party: nothing of it runs (RFC 2595 section 4)."""


async def user(session: POP3Session, name: str) -> Answer:
    """In clear it is refused here, before the password is on its way."""
    login.need_tls(session)
    session.user = name
    return responses.USER_ACCEPTED


async def password(session: POP3Session, secret: str) -> Answer:
    """After a refusal the client begins with USER again."""
    name, session.user = session.user, None
    if name is None:
        return responses.USER_FIRST if may_log_in(session) else responses.TLS_FIRST
    return await session.open_maildrop(await login.log_in(session, name, secret))


async def auth(session: POP3Session, asked: tuple[str, bytes | None] | None) -> Answer:
    """One SASL exchange; AUTH alone lists the mechanisms, as Outlook asks."""
    if asked is None:
        return await session.listing(responses.MECHANISMS_FOLLOW, login.mechanisms(session))
    name, initial = asked

    async def challenge(base64: bytes) -> bytes:
        return await session.prompt(base64, LONGEST_RESPONSE)

    try:
        who = await login.authenticate(session, name, initial, challenge)
    except login.MechanismUnknown:
        return responses.NO_SUCH_MECHANISM
    except SASLAborted:
        return responses.CANCELLED
    except SASLProblem as problem:
        raise SyntaxProblem(str(problem)) from None
    return await session.open_maildrop(who)


async def stls(session: POP3Session, _: None) -> Answer:
    """What the client said before TLS is forgotten (RFC 2595 section 4)."""
    if session.encrypted:
        return responses.TLS_ALREADY
    if session.channel.has_input:
        session.channel.close()
        raise PlaintextBehindSTLS
    session.user, session.takes = None, Form.PLAIN
    return session.after(responses.BEGIN_TLS, session.start_tls)


async def capa(session: POP3Session, _: None) -> Answer:
    return await session.listing(responses.CAPABILITIES, session.capabilities)


def _announce_user(session: POP3Session) -> str:
    return "USER" if may_log_in(session) else ""


def _announce_sasl(session: POP3Session) -> str:
    names = login.mechanisms(session)
    return " ".join(["SASL", *names]) if names else ""


def _announce_stls(session: POP3Session) -> str:
    return "" if session.encrypted else "STLS"


COMMANDS: tuple[POP3Command, ...] = (
    Command("USER", AUTHORIZATION, Reader.user, user, rfc=1939),
    Command("PASS", AUTHORIZATION, Reader.password, password, rfc=1939),
    Command("AUTH", AUTHORIZATION, Reader.authentication, auth, rfc=5034),
    Command("STLS", AUTHORIZATION, Reader.nothing, stls, rfc=2595),
    Command("CAPA", ANY_STATE, Reader.nothing, capa, rfc=2449),
)
CAPABILITIES: tuple[Announce, ...] = (_announce_user, _announce_sasl, _announce_stls)
