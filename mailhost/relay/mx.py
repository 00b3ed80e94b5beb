"""The next hop of a domain: its MX hosts by preference, and at random among equals (RFC 5321 section 5.1)."""

import ipaddress
import random
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass

from mailhost.relay.dns import NoSuchName, Resolver


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


async def exchangers(resolver: Resolver, domain: str, ourselves: Collection[str]) -> list[str]:
    """The hosts to try, the best first. Raises `NoMail`, `DNSTrouble`.

    Where we are among them, only those that are better than we (RFC 5321 section 5.1): all others would send it back.
    """
    if domain.startswith("["):
        return [domain]
    try:
        found = await resolver.mx(domain)
    except NoSuchName:
        raise NoMail("5.1.2", f"there is no domain {domain}") from None
    if not found:
        found = [(0, domain)]  # the address stands for an MX of preference 0
    if [host for _, host in found] == [""]:
        raise NoMail("5.1.10", f"{domain} takes no mail (null MX, RFC 7505)")
    ours = min((preference for preference, host in found if host in ourselves), default=None)
    better = [each for each in found if each[1] and (ours is None or each[0] < ours)]
    if not better:
        raise NoMail("5.4.6", f"the MX of {domain} is this server, which has no such domain: mail would go in a circle")
    random.shuffle(better)
    return [host for _, host in sorted(better, key=lambda each: each[0])]


async def hosts(resolver: Resolver, names: Sequence[str]) -> AsyncIterator[Host]:
    """Each address of each host, looked up when its turn has come. Raises `DNSTrouble` where a name has none for now."""
    for name in names:
        if (literal := _literal(name)) is not None:
            yield Host(name, literal)
            continue
        try:
            for address in await resolver.addresses(name):
                yield Host(name, address)
        except NoSuchName:  # an MX that names nothing: the next one may
            continue


def is_private(address: str) -> bool:
    """An address that is nobody's on the Internet: whoever lets DNS lead mail there may be led into its own network."""
    return not ipaddress.ip_address(address).is_global


def _literal(domain: str) -> str | None:
    return domain[1:-1].removeprefix("IPv6:") if domain.startswith("[") else None
