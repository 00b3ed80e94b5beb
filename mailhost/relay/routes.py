"""Where mail for a domain goes: to its MX hosts, to a host of our choice, or to an agent beside us; by the settings.

[relay.routes]
"*" = "smtp:smtp.example.net:465"              the smarthost: for all domains that have no line of their own
"partner.example" = "mx"                       as DNS has it
"*.lists.example" = "lmtp:/run/agent/lmtp"     what is below a domain
"""

from collections.abc import Mapping
from dataclasses import replace

from mailhost.config.routes import TLS, Protocol, Route, RouteProblem, read_route

ALL_OTHERS = "*"


class Routes:
    """The table of the settings."""

    def __init__(self, table: Mapping[str, str] = {}, *, logs_in: bool = False) -> None:
        """`logs_in`: there is a user and a password, for the smarthost and for no other host. Raises `RouteProblem`."""
        self._table = {domain.lower().rstrip("."): read_route(domain, written) for domain, written in table.items()}
        smarthost = self._table.get(ALL_OTHERS)
        if logs_in and smarthost is None:
            raise RouteProblem('relay.user is for the smarthost; name it: "*" = "smtp:HOST:465"')
        if logs_in and smarthost is not None and smarthost.protocol is Protocol.SMTP:
            user = _with_login(smarthost)
            self._table = {domain: user if each == smarthost else each for domain, each in self._table.items()}

    def of(self, domain: str) -> Route | None:
        """None for the domain's own MX hosts. An address literal goes to its address, unless it has a line of its own."""
        if domain in self._table:
            return self._table[domain]
        if not domain.startswith("["):
            labels = domain.split(".")
            for at in range(1, len(labels)):
                above = f"*.{'.'.join(labels[at:])}"
                if above in self._table:
                    return self._table[above]
        return self._table.get(ALL_OTHERS)

    def key(self, domain: str) -> str:
        """What has one queue of its own: a route for all its domains together, else the domain."""
        route = self.of(domain)
        return domain if route is None else str(route)


def _with_login(route: Route) -> Route:
    """A password goes to a host that has proven its name, and to no other."""
    tls = TLS.IMPLICIT if route.tls is TLS.IMPLICIT else TLS.REQUIRED
    return replace(route, tls=tls, logs_in=True)
