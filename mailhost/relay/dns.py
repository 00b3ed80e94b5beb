"""DNS, asked without waiting for it in the loop; answers are kept for their time to live."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.nameserver
import dns.resolver
from dns.rdatatype import AAAA, MX, A, RdataType

MOST_REMEMBERED = 20_000


class NoSuchName(Exception):
    """NXDOMAIN: there is no such name, and to come again is of no use."""


class DNSTrouble(Exception):
    """Nobody answers, or nobody can: SERVFAIL, REFUSED, a timeout, nonsense. It says nothing about the name."""


class Resolver:
    """The system's name servers, or those of the settings."""

    def __init__(self, servers: Sequence[tuple[str, int]], timeout: timedelta) -> None:
        """`timeout` bounds one question with all its tries."""
        self._resolver = dns.asyncresolver.Resolver(configure=not servers)
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        self._resolver.cache = dns.resolver.LRUCache(MOST_REMEMBERED)
        self._resolver.lifetime = timeout.total_seconds()
        self._resolver.timeout = max(timeout.total_seconds() / 3, 0.1)

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """Preference and host of each MX; an empty list where the name has none. Raises `NoSuchName`, `DNSTrouble`."""
        return [(each.preference, str(each.exchange).rstrip(".").lower()) for each in await self._ask(domain, MX)]

    async def addresses(self, host: str) -> list[str]:
        """IPv6 and IPv4; an empty list where there is none. Raises `NoSuchName`, `DNSTrouble`."""
        found, trouble = [], None
        for kind in (AAAA, A):
            try:
                found += [str(each.address) for each in await self._ask(host, kind)]
            except DNSTrouble as problem:
                trouble = problem
        if trouble is not None and not found:
            raise trouble
        return found

    async def _ask(self, name: str, kind: RdataType) -> list[Any]:
        try:
            answer = await self._resolver.resolve(f"{name}.", kind, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            raise NoSuchName(name) from None
        except (dns.exception.DNSException, OSError, ValueError) as problem:
            raise DNSTrouble(f"{name} {kind.name}: {_plain(problem)}") from None
        return list(answer.rrset or ())


def _plain(problem: Exception) -> str:
    if isinstance(problem, dns.resolver.LifetimeTimeout):
        return "no answer in time"
    if isinstance(problem, dns.resolver.NoNameservers):
        return "no name server could answer"
    return str(problem) or type(problem).__name__
