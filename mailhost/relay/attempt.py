"""One try: find the host, connect, hand over. What fails is told with its status, in words, and whether to come again."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from mailhost.relay.dns import DNSTrouble, Resolver
from mailhost.relay.mx import Host, NoMail, exchangers, hosts, is_private
from mailhost.smtp.client.client import Client, Declined, Timeouts
from mailhost.smtp.client.heard import Heard
from mailhost.transport.channel import ChannelError, EndOfInput, TimedOut
from mailhost.transport.dial import OpportunisticTLS, Outgoing, Unreachable, dial


@dataclass(frozen=True, slots=True)
class RelaySettings:
    host: str
    """The name in EHLO."""
    port: int = 25
    connect_timeout: timedelta = timedelta(seconds=30)
    timeouts: Timeouts = field(default_factory=Timeouts)
    connect_map: Mapping[str, tuple[str, int]] = field(default_factory=dict)
    """`host:port` to the address and port that stand for it, in labs and split networks."""
    allow_private_targets: bool = False
    source: str = ""
    """The address that connections come from; empty lets the system choose."""


class Trouble(Exception):
    """Nothing could be handed over, whoever the recipients are."""

    def __init__(self, status: str, reason: str, *, host: str | None = None, heard: Heard | None = None) -> None:
        super().__init__(reason)
        self.status, self.reason, self.host, self.heard = status, reason, host, heard

    @property
    def is_final(self) -> bool:
        return self.status.startswith("5")


@dataclass(slots=True)
class Connection:
    """A server that has said hello."""

    client: Client
    host: Host


class Connector:
    """Opens connections to the next hop of a domain."""

    def __init__(self, resolver: Resolver, settings: RelaySettings) -> None:
        self._resolver = resolver
        self._settings = settings

    async def open(self, domain: str) -> Connection:
        """The first host that talks. Raises `Trouble`: that of the last one that was tried."""
        try:
            names = await exchangers(self._resolver, domain, {self._settings.host})
            trouble = Trouble("5.4.4", f"none of the mail hosts of {domain} has an address")
            async for host in hosts(self._resolver, names):
                try:
                    return await self._connect(host)
                except Trouble as problem:
                    trouble = problem
        except NoMail as problem:
            raise Trouble(problem.status, str(problem)) from None
        except DNSTrouble as problem:
            raise Trouble("4.4.3", f"DNS gives no answer: {problem}") from None
        raise trouble

    async def _connect(self, host: Host) -> Connection:
        address, port = self._settings.connect_map.get(
            f"{host.name}:{self._settings.port}", (host.address, self._settings.port)
        )
        if is_private(address) and not self._settings.allow_private_targets:
            raise Trouble(
                "5.4.4", f"{host.name} has the address {address}, which is not on the Internet", host=host.name
            )
        try:
            return Connection(await self._greeted(host, address, port, tls=True), host)
        except _TLSFailed:
            return Connection(await self._greeted(host, address, port, tls=False), host)

    async def _greeted(self, host: Host, address: str, port: int, *, tls: bool) -> Client:
        try:
            outgoing = await dial(
                address,
                port,
                within=self._settings.connect_timeout,
                silence=timedelta(seconds=self._settings.timeouts.command),
                source=self._settings.source,
            )
        except Unreachable as problem:
            raise Trouble(
                "4.4.1", f"cannot connect to {host.name} [{address}]:{port}: {problem}", host=host.name
            ) from None
        client = Client(outgoing.channel, self._settings.host, self._settings.timeouts)
        try:
            await client.greet()
            if tls and "STARTTLS" in client.abilities:
                await self._encrypt(client, outgoing, host)
        except BaseException as problem:
            outgoing.channel.abort()
            if isinstance(problem, (ChannelError, ConnectionError, TimeoutError)) and not isinstance(
                problem, _TLSFailed
            ):
                raise told(problem, client.step, host.name) from None
            raise
        return client

    async def _encrypt(self, client: Client, outgoing: Outgoing, host: Host) -> None:
        """Whether or not it succeeds mail goes on: against those who only listen TLS is better than none (RFC 7435)."""
        outgoing.tls = OpportunisticTLS(host.name)
        try:
            await client.start_tls()
        except (ConnectionError, TimeoutError, EndOfInput) as problem:
            raise _TLSFailed(str(problem)) from None
        except Declined as declined:
            if declined.step != "STARTTLS":
                raise


class _TLSFailed(ChannelError):
    """The handshake failed: once more, in clear."""


def told(problem: BaseException, step: str, host: str) -> Trouble:
    """What broke a conversation off, in words."""
    if isinstance(problem, Declined):
        status = problem.heard.status
        return Trouble(
            f"4{status[1:]}", f"{host} declined at {problem.step}: {problem.heard}", host=host, heard=problem.heard
        )
    if isinstance(problem, TimedOut | TimeoutError):
        return Trouble("4.4.2", f"{host} was silent for too long at {step}", host=host)
    if isinstance(problem, EndOfInput | ConnectionError):
        return Trouble("4.4.2", f"{host} closed the connection at {step}", host=host)
    return Trouble("4.5.0", f"{host} at {step}: {problem}", host=host)
