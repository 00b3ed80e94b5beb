"""The next hop of a domain: its MX hosts by preference, and at random among equals (RFC 5321 section 5.1)."""

import asyncio
import ipaddress
import random
import socket
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby, zip_longest

from mailhost.config.routes import literal_address
from mailhost.relay.dns import DNSTrouble, NoSuchName, Resolver

MOST_HOSTS = 20
"""MX records that are looked at; a name with hundreds of them gets no more of our time."""
MOST_ADDRESSES = 20
"""Of one host."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what is compared, not bound


class NoMail(Exception):
    """Nobody takes mail for this domain; `status` is its enhanced code, the text says why."""

    def __init__(self, status: str, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, slots=True)
class Host:
    """One place to try."""

    name: str
    address: str


@dataclass(frozen=True, slots=True)
class Ourselves:
    """How this server would be met, were it led to itself."""

    names: Collection[str] = frozenset()
    bind: str = ""
    """Where mail from other hosts is taken in, if it is."""
    port: int = 0

    def is_at(self, address: str, port: int) -> bool:
        """Whether a connection there would come to us. On "every address" it does if the address is one of this machine's."""
        if not self.bind or port != self.port:
            return False
        return _is_of_this_machine(address) if self.bind in _ANYWHERE else _same(address, self.bind)


@dataclass(frozen=True, slots=True)
class Exchanger:
    """One MX record."""

    preference: int
    name: str


async def exchangers(resolver: Resolver, domain: str, ourselves: Collection[str]) -> list[Exchanger]:
    """The hosts to try, the best first. Raises `NoMail`, `DNSTrouble`.

    Where we are among them, only those that are better than we (RFC 5321 section 5.1): all others would send it back.
    """
    if domain.startswith("["):
        return [Exchanger(0, domain)]
    try:
        found = [Exchanger(*each) for each in await resolver.mx(domain)]
    except NoSuchName:
        raise NoMail("5.1.2", f"there is no domain {domain}") from None
    named = [each for each in found if each.name]
    if found and not named:
        raise NoMail("5.1.10", f"{domain} takes no mail (null MX, RFC 7505)")
    if not found:
        named = [Exchanger(0, domain)]  # the address stands for an MX of preference 0
    ours = min((each.preference for each in named if each.name in ourselves), default=None)
    better = [each for each in named if ours is None or each.preference < ours]
    if not better:
        raise NoMail("5.4.6", in_a_circle(domain))
    random.shuffle(better)
    return sorted(better, key=lambda each: each.preference)[:MOST_HOSTS]


def in_a_circle(domain: str) -> str:
    return f"the MX of {domain} is this server, which has no such domain: mail would go in a circle"


@dataclass(frozen=True, slots=True)
class Level:
    """All that is known of the hosts of one preference."""

    places: list[Host]
    trouble: DNSTrouble | None = None
    """Where DNS says nothing of one of them for now: that does not keep from the others, but nothing is final then."""


async def levels(resolver: Resolver, found: Sequence[Exchanger]) -> AsyncIterator[Level]:
    """The addresses of all hosts of one preference, looked up when their turn has come; the worse ones after them."""
    for _, equals in groupby(found, key=lambda each: each.preference):
        names = [each.name for each in equals]
        answers = await asyncio.gather(*(_addresses(resolver, name) for name in names))
        level = Level([])
        for name, answer in zip(names, answers, strict=True):
            if isinstance(answer, DNSTrouble):
                level = Level(level.places, answer)
            else:
                level.places.extend(Host(name, address) for address in answer)
        yield level


async def _addresses(resolver: Resolver, name: str) -> list[str] | DNSTrouble:
    if name.startswith("["):
        return [literal_address(name)]
    try:
        return list(_by_turns(await resolver.addresses(name)))[:MOST_ADDRESSES]
    except NoSuchName:  # an MX that names nothing: the next one may
        return []
    except DNSTrouble as trouble:
        return trouble


def _by_turns(addresses: Sequence[str]) -> Iterator[str]:
    """IPv6 and IPv4 one after the other: where one of both does not work at all, the other is not far."""
    six = [each for each in addresses if ":" in each]
    four = [each for each in addresses if ":" not in each]
    for pair in zip_longest(six, four):
        yield from (each for each in pair if each is not None)


def is_private(address: str) -> bool:
    """An address that is nobody's on the Internet: whoever lets DNS lead mail there may be led into its own network."""
    it = ipaddress.ip_address(address)
    if isinstance(it, ipaddress.IPv6Address):
        inside = it.ipv4_mapped or it.sixtofour or _embedded(it)
        if inside is not None:
            return is_private(str(inside))
    return not it.is_global or it.is_multicast


def _embedded(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """What a translator would make of it (RFC 6052 section 2.1)."""
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if address in _NAT64 else None


def _is_of_this_machine(address: str) -> bool:
    """Only its own addresses can be bound: the system answers at once, and nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as trial:
        trial.bind((address, 0))
        return True
    return False


def _same(one: str, other: str) -> bool:
    return ipaddress.ip_address(one) == ipaddress.ip_address(other)
