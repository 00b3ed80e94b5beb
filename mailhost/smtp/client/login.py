"""AUTH as a client: SCRAM where the server knows it, else PLAIN or LOGIN (RFC 4954). Passwords are told inside TLS only: the caller sees to that."""

import asyncio
import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from mailhost.sasl.scram import NAME as SCRAM
from mailhost.sasl.scram import ScramClient, ScramProblem
from mailhost.smtp.client.dialogue import Declined, Dialogue
from mailhost.smtp.client.heard import Heard
from mailhost.smtp.client.hello import Abilities
from mailhost.transport.channel import ChannelError

AUTHENTICATED = 235
CHALLENGE = 334
NOT_THIS_MECHANISM = (504, 534)
"""The server wants another mechanism (RFC 4954 section 4)."""


@dataclass(frozen=True, slots=True)
class Account:
    """Ours at another host."""

    user: str
    password: str = field(repr=False)


class LoginFailed(ChannelError):
    """The server does not let us in, or we do not trust it."""

    def __init__(self, text: str, heard: Heard | None = None) -> None:
        super().__init__(text)
        self.heard = heard


class _Login:
    """The exchange of one AUTH; each line of it is a secret."""

    def __init__(self, dialogue: Dialogue, within: float) -> None:
        self._dialogue, self._within = dialogue, within

    async def begin(self, mechanism: str, initial: bytes | None) -> Heard:
        word = "" if initial is None else f" {_coded(initial)}"
        return await self._say(f"AUTH {mechanism}{word}")

    async def respond(self, response: bytes) -> Heard:
        return await self._say(_coded(response))

    async def give_up(self) -> Heard:
        """RFC 4954 section 4: "*" cancels."""
        return await self._say("*")

    async def _say(self, line: str) -> Heard:
        return await self._dialogue.ask("AUTH", line, self._within, secret=True)


async def log_in(dialogue: Dialogue, abilities: Abilities, account: Account, within: float) -> None:
    """Raises `LoginFailed`, `Declined`."""
    known = [name for name in MECHANISMS if name in abilities.mechanisms]
    if not known:
        offered = ", ".join(sorted(abilities.mechanisms)) or "none"
        raise LoginFailed(f"the host offers no login mechanism that we know ({offered})")
    for name in known:
        answer = await MECHANISMS[name](_Login(dialogue, within), account)
        if answer.code == AUTHENTICATED:
            return
        if answer.code not in NOT_THIS_MECHANISM:
            break
    if answer.code // 100 == 4:
        raise Declined("AUTH", answer)
    raise LoginFailed("the host does not accept the user and password", answer)


async def _scram(login: _Login, account: Account) -> Heard:
    client = ScramClient(account.user, account.password)
    answer = await login.begin(SCRAM, client.first())
    if answer.code != CHALLENGE:
        return answer
    try:
        first = client.read(_challenge(answer))
        final = await asyncio.to_thread(client.final, first)
        answer = await login.respond(final.message)
        if answer.code == CHALLENGE:
            client.check(final, _challenge(answer))
            return await login.respond(b"")
        if (
            answer.code == AUTHENTICATED
        ):  # success data comes with 334 (RFC 4954 section 4); some say it here, and some not at all
            client.check(final, _base64(_text(answer)))
    except ScramProblem as problem:
        raise LoginFailed(str(problem)) from None
    return answer


async def _plain(login: _Login, account: Account) -> Heard:
    """RFC 4616"""
    return await login.begin("PLAIN", b"\0".join([b"", account.user.encode(), account.password.encode()]))


async def _login(login: _Login, account: Account) -> Heard:
    answer = await login.begin("LOGIN", None)
    for word in (account.user, account.password):
        if answer.code != CHALLENGE:
            break
        answer = await login.respond(word.encode())
    return answer


MECHANISMS: Mapping[str, Callable[[_Login, Account], Awaitable[Heard]]] = {
    SCRAM: _scram,
    "PLAIN": _plain,
    "LOGIN": _login,
}
"""The best first."""


def _challenge(answer: Heard) -> bytes:
    return _base64(_text(answer))


def _text(answer: Heard) -> str:
    return answer.lines[0].strip() if answer.lines else ""


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ScramProblem("the server's challenge is no base64") from None


def _coded(octets: bytes) -> str:
    """RFC 4954 section 4."""
    return base64.b64encode(octets).decode()
