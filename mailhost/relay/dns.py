"""DNS, asked without waiting for it in the loop; answers are kept for their time to live."""

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.flags
import dns.name
import dns.nameserver
import dns.resolver
from dns.rdatatype import AAAA, MX, NS, SOA, A, RdataType

MOST_REMEMBERED = 20_000
MOST_ALIASES = 8
"""CNAMEs that a name server makes us follow by ourselves; those within one answer are bounded by dnspython."""
MOST_RECORDS = 500
"""Of one answer that are looked at."""

LONGEST_KEPT = timedelta(days=1).total_seconds()
"""Whatever its time to live says: a mistake in a zone must not outlast its mending for long."""
LONGEST_NOTHING_KEPT = timedelta(minutes=15).total_seconds()
"""That there is no such name, or no such record (RFC 2308 section 5); else whoever mends his zone has his mail bounced on."""


class NoSuchName(Exception):
    """NXDOMAIN: there is no such name, and to come again is of no use."""


class DNSTrouble(Exception):
    """Nobody answers, or nobody can: SERVFAIL, REFUSED, a timeout, nonsense. It says nothing about the name."""


class Resolver:
    """The system's name servers, or those of the settings."""

    def __init__(self, servers: Sequence[tuple[str, int]], timeout: timedelta) -> None:
        """`timeout` bounds one question with all its tries."""
        self._resolver = _of_the_system() if not servers else dns.asyncresolver.Resolver(configure=False)
        if servers:
            self._resolver.nameservers = [dns.nameserver.Do53Nameserver(host, port) for host, port in servers]
        self._resolver.cache = _Cache(MOST_REMEMBERED)
        self._resolver.lifetime = timeout.total_seconds()
        self._resolver.timeout = max(timeout.total_seconds() / 3, 0.1)

    async def mx(self, domain: str) -> list[tuple[int, str]]:
        """Preference and host of each MX; an empty list where the name has none. Raises `NoSuchName`, `DNSTrouble`."""
        return [(each.preference, str(each.exchange).rstrip(".").lower()) for each in await self._ask(domain, MX)]

    async def addresses(self, host: str) -> list[str]:
        """IPv6 and IPv4; an empty list where there is none. Raises `NoSuchName`, `DNSTrouble`."""
        answers = await asyncio.gather(*(self._ask(host, kind) for kind in (AAAA, A)), return_exceptions=True)
        found = [str(each.address) for answer in answers if isinstance(answer, list) for each in answer]
        problems = [answer for answer in answers if isinstance(answer, BaseException)]
        if found or not problems:
            return found
        for problem in problems:  # NXDOMAIN to one question alone is a broken server's "no such address"
            if not isinstance(problem, NoSuchName) or len(problems) == len(answers):
                raise _gravest(problems)
        return []

    async def _ask(self, name: str, kind: RdataType) -> list[Any]:
        """An alias is taken for what it stands for, also where RFC 2181 section 10.3 forbids it; hosts do so for good."""
        asked = f"{name}."
        for _ in range(MOST_ALIASES):
            answer = await self._ask_one(asked, kind)
            if answer.rrset is not None:
                return list(answer.rrset)[:MOST_RECORDS]
            if answer.canonical_name == answer.qname:
                if _is_referral(answer):
                    raise DNSTrouble(f"{name} {kind.name}: the name server knows nothing of it, and sends us elsewhere")
                return []
            asked = answer.canonical_name.to_text()
        raise DNSTrouble(f"{name} {kind.name}: one alias leads to another without end")

    async def _ask_one(self, asked: str, kind: RdataType) -> dns.resolver.Answer:
        try:
            return await self._resolver.resolve(asked, kind, search=False, raise_on_no_answer=False)
        except dns.resolver.NXDOMAIN:
            raise NoSuchName(asked) from None
        except (dns.exception.DNSException, OSError, ValueError, EOFError) as problem:
            raise DNSTrouble(f"{asked.rstrip('.')} {kind.name}: {_plain(problem)}") from None


class _Cache(dns.resolver.LRUCache):
    """Keeps answers for their time to live, within bounds."""

    def put(self, key: Any, value: dns.resolver.Answer) -> None:
        longest = LONGEST_NOTHING_KEPT if value.rrset is None else LONGEST_KEPT
        value.expiration = min(value.expiration, time.time() + longest)
        super().put(key, value)


def _of_the_system() -> dns.asyncresolver.Resolver:
    """Without a configuration it is the server beside us, as the C library has it."""
    try:
        return dns.asyncresolver.Resolver()
    except dns.resolver.NoResolverConfiguration:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        return resolver


def _gravest(problems: Sequence[BaseException]) -> BaseException:
    """What says nothing about the name counts more than that there is none."""
    return next((each for each in problems if not isinstance(each, NoSuchName)), problems[0])


def _is_referral(answer: dns.resolver.Answer) -> bool:
    """A lame server's way to say nothing: neither the name's own zone (SOA, or its authority) nor a resolver that has asked it."""
    response = answer.response
    if response.flags & (dns.flags.AA | dns.flags.RA):
        return False
    kinds = {each.rdtype for each in response.authority}
    return NS in kinds and SOA not in kinds


def _plain(problem: Exception) -> str:
    if isinstance(problem, dns.resolver.LifetimeTimeout):
        return "no answer in time"
    if isinstance(problem, dns.resolver.NoNameservers):
        return "no name server could answer"
    return str(problem) or type(problem).__name__
