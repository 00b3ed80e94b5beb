"""From a connection to a host that is ready for mail: greeting, EHLO, TLS, login; plainer again where the host cannot follow."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mailhost.config.routes import TLS, Protocol, Route
from mailhost.events.event import Events
from mailhost.relay.mx import Host
from mailhost.relay.password import PasswordProblem, read_password
from mailhost.relay.trouble import Trouble, told
from mailhost.relay.wire import Wire
from mailhost.smtp.client.client import Client, PlaintextBehindTLS
from mailhost.smtp.client.dialogue import Declined, Timeouts
from mailhost.smtp.client.heard import SERVICE_CLOSES
from mailhost.smtp.client.login import Account, LoginFailed
from mailhost.transport.channel import ChannelError, EndOfInput
from mailhost.transport.dial import OpportunisticTLS, Outgoing, VerifiedTLS


@dataclass(frozen=True, slots=True)
class Smarthost:
    """How we prove ourselves where all mail goes, and it to us."""

    user: str = ""
    password_file: Path | None = None
    authorities: Path | None = None
    """Certificates that its own is proven by; None is the system's."""


@dataclass(slots=True)
class Connection:
    """A server that has said hello."""

    client: Client
    host: Host
    messages: int = 0
    """That it has carried."""
    wire: Wire | None = None
    """For who watches."""


@dataclass(frozen=True, slots=True)
class Target:
    """Who is to be there."""

    host: Host
    route: Route | None
    """None for a host that DNS has named."""

    @property
    def tls(self) -> TLS:
        return TLS.OPPORTUNISTIC if self.route is None else self.route.tls

    @property
    def speaks_lmtp(self) -> bool:
        return self.route is not None and self.route.protocol is Protocol.LMTP


@dataclass(frozen=True, slots=True)
class Manner:
    """How a host is talked to: as well as may be at first."""

    tls: bool = True
    extended: bool = True


class _Plainer(Exception):
    """The host could not follow: once more, and plainer."""

    def __init__(self, manner: Manner) -> None:
        super().__init__()
        self.manner = manner


class Handshake:
    """The same for all hosts."""

    def __init__(
        self,
        name: str,
        timeouts: Timeouts,
        smarthost: Smarthost,
        *,
        clear_after_failed_tls: bool = True,
        events: Events | None = None,
    ) -> None:
        self._name, self._timeouts, self._events = name, timeouts, events
        self._smarthost = smarthost
        self._clear_after_failed_tls = clear_after_failed_tls
        self._verified: VerifiedTLS | None = None

    async def connect(self, target: Target, dial: Callable[[], Awaitable[Outgoing]]) -> Connection:
        """Raises `Trouble`."""
        manner = Manner()
        while True:  # three times at most: each turn gives something up
            outgoing = await dial()
            client = Client(
                outgoing.channel, self._name, self._timeouts, lmtp=target.speaks_lmtp, extended=manner.extended
            )
            wire = client.dialogue.watch = self._watched(outgoing, target)
            try:
                await self._hello(client, outgoing, target, manner)
                return Connection(client, target.host, wire=wire)
            except BaseException as problem:
                outgoing.channel.abort()
                if isinstance(problem, ChannelError | OSError):
                    raise told(problem, client.step, target.host.name) from None
                if not isinstance(problem, _Plainer):
                    raise
                manner = problem.manner

    def _watched(self, outgoing: Outgoing, target: Target) -> Wire | None:
        """None where nobody wants lines."""
        if self._events is None or not self._events.lines:
            return None
        return Wire(self._events, outgoing, target.host.name, "lmtp" if target.speaks_lmtp else "smtp")

    async def _hello(self, client: Client, outgoing: Outgoing, target: Target, manner: Manner) -> None:
        host = target.host.name
        if target.tls is TLS.IMPLICIT:
            await self._verify(outgoing, host, outgoing.channel.start_tls)
        await self._greet(client, target, manner)
        if target.tls is TLS.REQUIRED:
            if "STARTTLS" not in client.abilities:
                raise Trouble("4.7.4", f"{host} offers no TLS, and no password is sent without it", host=host)
            await self._verify(outgoing, host, client.start_tls)
        elif target.tls is TLS.OPPORTUNISTIC and manner.tls and "STARTTLS" in client.abilities:
            await self._encrypt(client, outgoing, host, manner)
        if target.route is not None and target.route.logs_in:
            await self._log_in(client, host)

    async def _greet(self, client: Client, target: Target, manner: Manner) -> None:
        """A host that hangs up at EHLO may know HELO alone; then it has no TLS either."""
        try:
            await client.greet()
        except (EndOfInput, ConnectionError):
            if client.step == "EHLO" and manner.extended and target.tls is TLS.OPPORTUNISTIC:
                raise _Plainer(Manner(tls=False, extended=False)) from None
            raise

    async def _encrypt(self, client: Client, outgoing: Outgoing, host: str, manner: Manner) -> None:
        """Whether or not it succeeds mail goes on: against those who only listen TLS is better than none (RFC 7435)."""
        outgoing.tls = OpportunisticTLS(host)
        try:
            await client.start_tls()
        except PlaintextBehindTLS:  # somebody is in between: mail waits until he is gone
            raise
        except Declined as declined:
            if declined.step != "STARTTLS":
                raise
            if declined.heard.code == SERVICE_CLOSES:
                self._without_tls(manner, f"{host} closed at STARTTLS: {declined.heard}", host)
        except (ChannelError, OSError) as problem:
            if client.step != "STARTTLS":
                raise
            self._without_tls(manner, f"TLS with {host} failed: {problem}", host)

    def _without_tls(self, manner: Manner, reason: str, host: str) -> None:
        if not self._clear_after_failed_tls:
            raise Trouble("4.7.5", reason, host=host)
        raise _Plainer(replace(manner, tls=False))

    async def _verify(self, outgoing: Outgoing, host: str, start: Callable[[], Awaitable[None]]) -> None:
        """TLS with this host and no other."""
        try:
            if self._verified is None:
                self._verified = await asyncio.to_thread(VerifiedTLS, self._smarthost.authorities)
        except (OSError, ValueError) as problem:
            raise Trouble("4.3.5", f"the certificates of relay.ca cannot be read: {problem}", host=host) from None
        outgoing.tls = self._verified.expecting(host.strip("[]").removeprefix("ipv6:"))
        try:
            await start()
        except (Declined, PlaintextBehindTLS):
            raise
        except (ConnectionError, TimeoutError) as problem:
            reason = f"TLS with {host} failed: {problem or 'no answer in time'}. Its certificate must prove this name; see relay.ca"
            raise Trouble("4.7.5", reason, host=host) from None

    async def _log_in(self, client: Client, host: str) -> None:
        user, path = self._smarthost.user, self._smarthost.password_file
        try:
            password = await asyncio.to_thread(read_password, path) if path is not None else ""
            await client.log_in(Account(user, password))
        except PasswordProblem as problem:
            raise Trouble("4.3.5", str(problem), host=host) from None
        except LoginFailed as failed:
            cure = f"{host} does not let {user} in: {failed}. Write the right password into relay.password_file"
            cure += " (at 163 and QQ that is the authorization code, not the password of the mailbox)"
            raise Trouble("4.7.8", cure, host=host, heard=failed.heard) from None
