"""One line of relay.routes: where mail for a domain goes.

"smtp:smtp.example.net:465"      a host of that name; 465 means TLS from the first octet, as `smtps:` does at any port
"smtp:[192.0.2.7]:2525"          an address in brackets needs no DNS
"lmtp:[127.0.0.1]:24"            an agent that speaks LMTP (RFC 2033)
"lmtp:/run/agent/lmtp"           the same, at a Unix socket
"mx"                             as DNS has it
"""

import ipaddress
import re
from dataclasses import dataclass
from enum import Enum

MX = "mx"
IMPLICIT_TLS_PORT = 465
_HOST = re.compile(
    r"(?P<kind>smtps?|lmtp):(?P<host>\[[^\[\]]+\]|[^:\[\]/\s]+)(?::(?P<port>[0-9]{1,5}))?", re.IGNORECASE
)
_SOCKET = re.compile(r"lmtp:(?P<path>/[^\0]*)", re.IGNORECASE)
PORTS = {"smtp": 25, "smtps": IMPLICIT_TLS_PORT, "lmtp": 24}


class Protocol(Enum):
    SMTP = "smtp"
    LMTP = "lmtp"


class TLS(Enum):
    """How much of it a route wants."""

    NONE = 0
    OPPORTUNISTIC = 1
    """Where the host offers it (RFC 7435)."""
    REQUIRED = 2
    """By STARTTLS, with the host's certificate verified."""
    IMPLICIT = 3
    """From the first octet, verified as well (RFC 8314 section 3.3)."""


@dataclass(frozen=True, slots=True)
class Route:
    """A next hop that the administrator has named; what it names may be private, and is trusted as far as TLS proves it."""

    protocol: Protocol
    host: str
    """A name, an address literal, or the path of a Unix socket."""
    port: int
    tls: TLS = TLS.NONE
    logs_in: bool = False

    def __str__(self) -> str:
        return f"{self.protocol.value}:{self.host}" + (f":{self.port}" if self.port else "")

    @property
    def literal(self) -> str:
        """Its address, where it needs no DNS; or nothing."""
        return (
            literal_address(self.host) if self.host.startswith("[") else self.host if self.host.startswith("/") else ""
        )


class RouteProblem(ValueError):
    """A line of relay.routes cannot be read; the text says how it is written."""


def read_route(domain: str, written: str) -> Route | None:
    """None for `mx`. Raises `RouteProblem`."""
    if written.lower() == MX:
        return None
    if (socket := _SOCKET.fullmatch(written)) is not None:
        return Route(Protocol.LMTP, socket["path"], 0)
    found = _HOST.fullmatch(written)
    port = int(found["port"] or PORTS[found["kind"].lower()]) if found else 0
    if found is None or not 0 < port < 65_536:
        raise RouteProblem(
            f'{domain} = {written!r}: write "smtp:HOST:PORT", "smtps:HOST:PORT", "lmtp:HOST:PORT", "lmtp:/PATH" or "mx"'
        )
    kind, host = found["kind"].lower(), found["host"].lower()
    if host.startswith("["):
        literal_address(host)
    if kind == "lmtp":
        return Route(Protocol.LMTP, host, port)
    is_implicit = kind == "smtps" or port == IMPLICIT_TLS_PORT
    return Route(Protocol.SMTP, host, port, TLS.IMPLICIT if is_implicit else TLS.OPPORTUNISTIC)


def literal_address(host: str) -> str:
    """The address in `[192.0.2.1]`, `[IPv6:2001:db8::1]` or `[2001:db8::1]`. Raises `RouteProblem`."""
    inside = host[1:-1]
    inside = inside[5:] if inside.lower().startswith("ipv6:") else inside
    try:
        return str(ipaddress.ip_address(inside))
    except ValueError:
        raise RouteProblem(f"{host} is no IP address") from None
