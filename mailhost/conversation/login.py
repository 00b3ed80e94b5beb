"""Logging in, the same in all three protocols: never a password in clear unless the settings say so, never a hint why."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable
from typing import Any

from mailhost.conversation.secrets import KNOWN_ELSEWHERE, SECURE_PASSWORD, user_shown
from mailhost.conversation.session import Session
from mailhost.database.errors import Refused
from mailhost.events.event import AUTH_FAIL, AUTH_OK
from mailhost.sasl.mechanism import SASLAborted, SASLProblem
from mailhost.sasl.mechanisms import MECHANISMS
from mailhost.users.errors import AccountDisabled, LoginRefused
from mailhost.users.values import Login

LONGEST_RESPONSE = 12288
"""Octets of a response in base64 (RFC 4954 section 4: 12,288)."""
ABORT = b"*"
WITHOUT_DOMAIN = "user name without a domain: in the client it is the full address"
WITHOUT_TLS = "password without TLS: in the client choose SSL/TLS, or STARTTLS"


class PlaintextForbidden(Refused):
    """A password without TLS (RFC 8314 section 4.1)."""


class MechanismUnknown(Refused):
    """No such mechanism here; an old Outlook tries NTLM when "secure password authentication" is on."""


def may_log_in(session: Session[Any, Any]) -> bool:
    """Whether a password may be sent now."""
    return session.encrypted or session.services.allow_plaintext


def mechanisms(session: Session[Any, Any]) -> list[str]:
    """What is announced: only what works now."""
    return [each.name for each in MECHANISMS.values() if not each.plaintext or may_log_in(session)]


def need_tls(session: Session[Any, Any]) -> None:
    """The commonest mistake of all: the log names it with its cure. Raises `PlaintextForbidden`."""
    if not may_log_in(session):
        session.publish(AUTH_FAIL, cause=WITHOUT_TLS, data={"address": session.channel.peer.address})
        raise PlaintextForbidden


async def log_in(session: Session[Any, Any], user: str, password: str) -> Login:
    """Raises `PlaintextForbidden`, `LoginRefused` (after a delay), `AccountDisabled`, `LoginBusy`."""
    need_tls(session)
    try:
        login = await session.services.logins.check(user, password)
    except LoginRefused as refusal:
        await _failed(session, user, _cause(user, refusal))
        raise
    session.services.presence.enter(login.account, session.channel)
    session.publish(AUTH_OK, data={"user": login.address, "address": session.channel.peer.address})
    return login


def _cause(user: str, refusal: LoginRefused) -> str:
    """In words: the log is for the administrator, who may know what no client hears."""
    if "@" not in user:
        return WITHOUT_DOMAIN
    return "the account is disabled" if isinstance(refusal, AccountDisabled) else "wrong user or password"


async def _failed(session: Session[Any, Any], user: str, cause: str) -> None:
    """Each failure costs time, and one of the tries that a connection has."""
    session.publish(AUTH_FAIL, cause=cause, data={"user": user_shown(user), "address": session.channel.peer.address})
    session.failed_logins += 1
    await asyncio.sleep(session.services.failure_delay.total_seconds())
    if session.failed_logins >= session.services.limits.login_tries:
        session.ended = True


async def authenticate(
    session: Session[Any, Any], name: str, initial: bytes | None, challenge: Callable[[bytes], Awaitable[bytes]]
) -> Login:
    """One SASL exchange (RFC 4422). `challenge` sends a line in base64 and reads the answer's line.

    Raises what `log_in` raises, `MechanismUnknown`, `SASLProblem`, `SASLAborted`.
    """
    mechanism = MECHANISMS.get(name.upper())
    if mechanism is None:
        session.publish(AUTH_FAIL, cause=_unknown(name))
        raise MechanismUnknown
    if mechanism.plaintext:
        need_tls(session)

    async def ask(prompt: bytes) -> bytes:
        return decode(await challenge(base64.b64encode(prompt)))

    said = await mechanism.exchange(None if initial is None else decode(initial), ask)
    if said.authorize and said.authorize.lower() != said.user.lower():  # nobody acts as somebody else
        await _failed(session, said.user, "asks to act as somebody else")
        raise LoginRefused
    return await log_in(session, said.user, said.password)


def decode(response: bytes) -> bytes:
    """A response in base64; "=" is an empty one (RFC 4954 section 4)."""
    if response == ABORT:
        raise SASLAborted
    if response == b"=":
        return b""
    try:
        return base64.b64decode(response.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise SASLProblem("the response is not base64") from None


def _unknown(name: str) -> str:
    """What is no mechanism that anybody knows may be a password at the wrong place: it is not repeated."""
    name = name.upper()
    if name in SECURE_PASSWORD:
        return f"{name}: the client uses SPA (secure password authentication): switch it off"
    return f"{name}: no such mechanism here" if name in KNOWN_ELSEWHERE else "no such mechanism"
