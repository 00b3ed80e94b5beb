"""relay.routes: what a line says, and that a line which says nothing stops the start."""

from pathlib import Path

import pytest

from mailhost.config.load import parse
from mailhost.config.problem import ConfigProblem
from mailhost.config.routes import TLS, Protocol, Route, RouteProblem, literal_address, read_route
from mailhost.relay.routes import Routes


@pytest.mark.parametrize(
    ("written", "route"),
    [
        ("mx", None),
        ("MX", None),
        ("smtp:Mail.Example.NET:25", Route(Protocol.SMTP, "mail.example.net", 25, TLS.OPPORTUNISTIC)),
        ("smtp:mail.example.net", Route(Protocol.SMTP, "mail.example.net", 25, TLS.OPPORTUNISTIC)),
        ("smtp:mail.example.net:465", Route(Protocol.SMTP, "mail.example.net", 465, TLS.IMPLICIT)),
        ("smtps:mail.example.net:2465", Route(Protocol.SMTP, "mail.example.net", 2465, TLS.IMPLICIT)),
        ("smtp:[2001:db8::1]:587", Route(Protocol.SMTP, "[2001:db8::1]", 587, TLS.OPPORTUNISTIC)),
        ("lmtp:127.0.0.1:24", Route(Protocol.LMTP, "127.0.0.1", 24)),
        ("lmtp:/run/Agent/lmtp", Route(Protocol.LMTP, "/run/Agent/lmtp", 0)),
    ],
)
def test_what_a_line_says(written: str, route: Route | None) -> None:
    assert read_route("example.org", written) == route


@pytest.mark.parametrize(
    "written",
    [
        "",
        "mail.example.net",
        "smtp:",
        "smtp:a:0",
        "smtp:a:65536",
        "smtp:a b:25",
        "http:a:80",
        "smtp:[1.2.3]:25",
        "lmtp:run/x",
    ],
)
def test_a_line_that_says_nothing(written: str) -> None:
    with pytest.raises(RouteProblem):
        read_route("example.org", written)
    text = f'[relay]\nroutes = {{"example.org" = "{written}"}}\n'
    with pytest.raises(ConfigProblem, match=r"relay\.routes"):
        parse(text, "mailhost.toml", Path())


@pytest.mark.parametrize(
    "lines",
    [
        'user = "x"',
        'user = "x"\npassword_file = "p"',
        'user = "x"\nroutes = {"*" = "smtp:a:465"}',
        'user = "x"\npassword_file = "p"\nroutes = {"*" = "mx"}',
        'user = "x"\npassword_file = "p"\nroutes = {"*" = "lmtp:/a"}',
    ],
)
def test_a_user_without_a_smarthost_or_a_password(lines: str) -> None:
    with pytest.raises(ConfigProblem, match=r"relay\.user"):
        parse(f"[relay]\n{lines}\n", "mailhost.toml", Path())


TABLE = {
    "*": "smtp:smart.test:587",
    "by.test": "mx",
    "*.deep.test": "lmtp:[127.0.0.1]:24",
    "a.deep.test": "smtp:a.test",
    "other.test": "smtp:smart.test:587",
}


@pytest.mark.parametrize(
    ("domain", "key"),
    [
        ("any.test", "smtp:smart.test:587"),
        ("other.test", "smtp:smart.test:587"),
        ("by.test", "by.test"),
        ("x.by.test", "smtp:smart.test:587"),
        ("deep.test", "smtp:smart.test:587"),
        ("x.deep.test", "lmtp:[127.0.0.1]:24"),
        ("y.x.deep.test", "lmtp:[127.0.0.1]:24"),
        ("a.deep.test", "smtp:a.test:25"),
        ("[192.0.2.1]", "smtp:smart.test:587"),
    ],
)
def test_the_line_that_fits_best(domain: str, key: str) -> None:
    assert Routes(TABLE).key(domain) == key


def test_without_a_table_each_domain_is_its_own() -> None:
    assert Routes().of("any.test") is None
    assert Routes().key("any.test") == "any.test"


def test_only_the_smarthost_gets_the_password_and_only_inside_tls() -> None:
    routes = Routes(TABLE, logs_in=True)
    found = {domain: routes.of(domain) for domain in ("any.test", "other.test", "a.deep.test", "x.deep.test")}
    assert [each is not None and each.logs_in for each in found.values()] == [True, True, False, False]
    assert found["any.test"] is not None
    assert found["any.test"].tls is TLS.REQUIRED


@pytest.mark.parametrize("host", ["[192.0.2.1]", "[IPv6:2001:db8::1]", "[ipv6:2001:db8::1]", "[2001:db8::1]"])
def test_literals(host: str) -> None:
    assert literal_address(host) in ("192.0.2.1", "2001:db8::1")


@pytest.mark.parametrize("where", ["localhost:25", "127.0.0.1", "127.0.0.1:0", "[::1]", "::1", "127.0.0.1:x"])
def test_what_a_connection_cannot_be_made_to(where: str) -> None:
    with pytest.raises(ConfigProblem, match=r"relay\.connect_map"):
        parse(f'[relay]\nconnect_map = {{"mx.test:25" = "{where}"}}\n', "mailhost.toml", Path())


@pytest.mark.parametrize("where", ["127.0.0.1:2525", "[::1]:2525"])
def test_what_it_can_be_made_to(where: str) -> None:
    parse(f'[relay]\nconnect_map = {{"mx.test:25" = "{where}"}}\n', "mailhost.toml", Path())


def test_a_source_that_is_no_address() -> None:
    parse('[relay]\nsource_address = "192.0.2.1"\n', "mailhost.toml", Path())
    with pytest.raises(ConfigProblem, match=r"relay\.source_address"):
        parse('[relay]\nsource_address = "eth0"\n', "mailhost.toml", Path())
