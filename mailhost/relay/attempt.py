"""One try: find the host, connect, say hello. What fails is told with its status, in words, and whether to come again."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from mailhost.config.routes import Route
from mailhost.events.event import Events
from mailhost.relay.dns import DNSTrouble, Resolver
from mailhost.relay.handshake import Connection, Handshake, Smarthost, Target
from mailhost.relay.mx import Exchanger, Host, NoMail, Ourselves, exchangers, in_a_circle, is_private, levels
from mailhost.relay.reach import CURE, Reach
from mailhost.relay.routes import Routes
from mailhost.relay.trouble import Trouble, told
from mailhost.smtp.client.dialogue import Timeouts
from mailhost.transport.dial import Outgoing, Unreachable, dial

__all__ = ["Connection", "Connector", "RelaySettings", "Trouble", "told"]


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
    routes: Routes = field(default_factory=Routes)
    smarthost: Smarthost = field(default_factory=Smarthost)
    clear_after_failed_tls: bool = True
    most_addresses: int = 10
    """Tried before the destination is left for later."""
    open_timeout: timedelta = timedelta(minutes=15)
    """For all of them together."""
    ourselves: Ourselves = field(default_factory=Ourselves)


@dataclass(slots=True)
class _Tries:
    """What became of the addresses of one destination."""

    left: int
    trouble: Trouble | None = None
    """What to tell: what may pass counts more than what is final, and of these the last one."""
    silent: int = 0
    reached: int = 0

    def unknown(self, problem: DNSTrouble) -> None:
        """Of some host DNS says nothing."""
        if self.trouble is None or self.trouble.is_final:
            self.trouble = Trouble("4.4.3", f"DNS gives no answer: {problem}")

    def failed(self, trouble: Trouble) -> None:
        self.left -= 1
        if self.trouble is None or self.trouble.is_final or not trouble.is_final:
            self.trouble = trouble


class Connector:
    """Opens connections to the next hop of a domain."""

    def __init__(
        self, resolver: Resolver, settings: RelaySettings, reach: Reach | None = None, events: Events | None = None
    ) -> None:
        """`events`: for who watches the dialogues."""
        self._resolver = resolver
        self._settings = settings
        self._handshake = Handshake(
            settings.host,
            settings.timeouts,
            settings.smarthost,
            clear_after_failed_tls=settings.clear_after_failed_tls,
            events=events,
        )
        self.reach = reach or Reach()

    def key(self, domain: str) -> str:
        """Domains with the same one go the same way, and share connections."""
        return self._settings.routes.key(domain)

    async def open(self, domain: str) -> Connection:
        """The first host that talks. Raises `Trouble`: that of the last one that was tried."""
        tries = _Tries(self._settings.most_addresses)
        route = self._settings.routes.of(domain)
        try:
            async with asyncio.timeout(self._settings.open_timeout.total_seconds()):
                connection = await (self._by_mx(domain, tries) if route is None else self._by_route(route, tries))
        except TimeoutError:
            if tries.trouble is None:
                tries.trouble = Trouble("4.4.1", f"no mail host of {domain} was ready in time")
            connection = None
        except NoMail as problem:
            raise Trouble(problem.status, str(problem)) from None
        except DNSTrouble as problem:
            tries.unknown(problem)
            connection = None
        if route is None:
            self._note(domain, tries)
        if connection is not None:
            return connection
        raise tries.trouble or Trouble("5.4.4", f"none of the mail hosts of {domain} has an address")

    def _note(self, domain: str, tries: _Tries) -> None:
        """Whether the silence is this destination's, or everybody's."""
        if tries.reached:
            self.reach.reached()
        elif tries.silent:
            self.reach.silent(domain)
            if self.reach.is_blocked and tries.trouble is not None and not tries.trouble.is_final:
                tries.trouble = Trouble("4.4.1", f"{tries.trouble.reason}; {CURE}", host=tries.trouble.host)

    async def _by_mx(self, domain: str, tries: _Tries) -> Connection | None:
        settings = self._settings
        found = await exchangers(self._resolver, domain, settings.ourselves.names or {settings.host})
        async for level in levels(self._resolver, found):
            targets = [(host, *self._target(host, settings.port)) for host in level.places]
            if any(settings.ourselves.is_at(address, port) for _, address, port in targets):
                if tries.trouble is None:
                    raise NoMail("5.4.6", in_a_circle(domain))
                return None
            if level.trouble is not None:
                tries.unknown(level.trouble)
            for host, address, port in targets:
                if (connection := await self._try(host, address, port, None, tries)) is not None:
                    return connection
                if tries.left <= 0:
                    return None
        return None

    async def _by_route(self, route: Route, tries: _Tries) -> Connection | None:
        async for host in self._places(route):
            address, port = self._target(host, route.port)
            if (connection := await self._try(host, address, port, route, tries)) is not None:
                return connection
            if tries.left <= 0:
                break
        if tries.trouble is None:
            tries.trouble = Trouble(
                "4.4.4", f"relay.routes leads to {route.host}, which has no address", host=route.host
            )
        return None

    async def _places(self, route: Route) -> AsyncIterator[Host]:
        if route.literal:
            yield Host(route.host, route.literal)
        elif route.host == "localhost":  # never asked of DNS (RFC 6761 section 6.3)
            yield Host(route.host, "127.0.0.1")
            yield Host(route.host, "::1")
        else:
            async for level in levels(self._resolver, [Exchanger(0, route.host)]):
                if level.trouble is not None:
                    raise level.trouble
                for host in level.places:
                    yield host

    def _target(self, host: Host, port: int) -> tuple[str, int]:
        return self._settings.connect_map.get(f"{host.name}:{port}", (host.address, port))

    async def _try(self, host: Host, address: str, port: int, route: Route | None, tries: _Tries) -> Connection | None:
        """One address. None where it was of no use: the reason is in `tries`."""
        if route is None and is_private(address) and not self._settings.allow_private_targets:
            reason = f"{host.name} has the address {address}, which is not on the Internet"
            tries.failed(Trouble("5.4.4", reason, host=host.name))
            return None
        try:
            return await self._handshake.connect(Target(host, route), lambda: self._dial(host, address, port, tries))
        except Trouble as trouble:
            tries.failed(trouble)
            return None

    async def _dial(self, host: Host, address: str, port: int, tries: _Tries) -> Outgoing:
        settings = self._settings
        try:
            outgoing = await dial(
                address,
                port,
                within=settings.connect_timeout,
                silence=timedelta(seconds=settings.timeouts.command),
                source=settings.source,
            )
        except Unreachable as problem:
            tries.silent += problem.timed_out
            tries.reached += problem.refused
            where = address if address.startswith("/") else f"{host.name} [{address}]:{port}"
            raise Trouble("4.4.1", f"cannot connect to {where}: {problem}", host=host.name) from None
        tries.reached += 1
        return outgoing
