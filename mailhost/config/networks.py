"""relay.networks: whose hosts may relay without a login. What is too wide is refused: a mistake there is an open relay."""

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

WIDEST = {4: 8, 6: 32}
"""Bits that a network has at least: 10.0.0.0/8 is one, a provider's whole IPv6 another. What holds more is half the Internet."""
_PRIVATE = tuple(ipaddress.IPv6Network(each) for each in ("fc00::/7", "fe80::/10"))
_DISGUISES = {"::ffff:0:0/96": "IPv4 written as IPv6", "64:ff9b::/96": "all of IPv4 behind a translator"}
"""The whole of IPv4 within IPv6 (RFC 4291 section 2.5.5.2, RFC 6052 section 2.1)."""


class NetworkProblem(ValueError):
    """Why it does not stand, with the cure."""


def read_network(written: str) -> Network:
    """A network such as 192.0.2.0/24 or 2001:db8::/32, or one address. Raises `NetworkProblem`."""
    try:
        network = ipaddress.ip_network(written)
    except ValueError:
        raise NetworkProblem(_cure(written)) from None
    for disguise, words in _DISGUISES.items():
        if network.version == 6 and network.overlaps(ipaddress.IPv6Network(disguise)) and network.prefixlen >= 32:
            raise NetworkProblem(f'"{written}" is {words}; write the IPv4 network itself, such as 192.0.2.0/24')
    is_private = isinstance(network, ipaddress.IPv6Network) and any(network.subnet_of(each) for each in _PRIVATE)
    if network.prefixlen < WIDEST[network.version] and not is_private:
        raise NetworkProblem(
            f'"{written}" is too wide: whoever is in it could send mail to anybody through this server; name your own '
            f"networks, each with /{WIDEST[network.version]} or more"
        )
    return network


def is_in(address: str, networks: Sequence[Network]) -> Network | None:
    """The network that an address belongs to; an IPv4 address within IPv6 is the IPv4 address."""
    if not networks:
        return None
    try:
        one: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    one = getattr(one, "ipv4_mapped", None) or one
    return next((each for each in networks if one in each), None)


def _cure(written: str) -> str:
    try:
        meant = ipaddress.ip_network(written, strict=False)
    except ValueError:
        return f'"{written}" is no network; write one such as 192.0.2.0/24, 2001:db8::/32 or 192.0.2.7'
    return f'"{written}" names an address within a network; write {meant}'
