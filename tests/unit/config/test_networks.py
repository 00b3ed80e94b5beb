"""relay.networks: who is in, and what is too wide to be meant."""

from pathlib import Path

import pytest

from mailhost.config.load import parse
from mailhost.config.networks import NetworkProblem, is_in, read_network
from mailhost.config.problem import ConfigProblem
from mailhost.config.reload import is_reloaded


@pytest.mark.parametrize(
    "written", ["10.0.0.0/8", "192.0.2.7", "127.0.0.0/8", "2001:db8::/32", "fc00::/7", "fe80::/10", "::1"]
)
def test_networks_that_may_be_meant(written: str) -> None:
    assert str(read_network(written)).startswith(written)


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        ("0.0.0.0/0", "too wide"),
        ("0.0.0.0/1", "too wide"),
        ("128.0.0.0/1", "too wide"),
        ("8.0.0.0/7", "too wide"),
        ("::/0", "too wide"),
        ("2000::/3", "too wide"),
        ("2002::/16", "too wide"),
        ("::ffff:0:0/96", "IPv4 written as IPv6"),
        ("::fffe:0:0/95", "IPv4 written as IPv6"),
        ("::ffff:192.0.2.0/120", "IPv4 written as IPv6"),
        ("64:ff9b::/96", "behind a translator"),
        ("192.0.2.7/24", "write 192.0.2.0/24"),
        ("2001:db8::1/32", "write 2001:db8::/32"),
        ("192.0.2", "is no network"),
        ("192.0.2.0/33", "is no network"),
        ("red.test", "is no network"),
        ("", "is no network"),
    ],
)
def test_a_mistake_stops_the_start_and_names_its_cure(written: str, cure: str) -> None:
    with pytest.raises(NetworkProblem, match=cure):
        read_network(written)
    with pytest.raises(ConfigProblem, match=cure) as found:
        parse(f'[relay]\nnetworks = ["192.0.2.0/24", "{written}"]', "mailhost.toml", Path("/"))
    assert found.value.key == "relay.networks"


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.255", "192.0.2.0/24"),
        ("::ffff:192.0.2.1", "192.0.2.0/24"),
        ("::ffff:c000:0201", "192.0.2.0/24"),
        ("2001:db8:ffff::1", "2001:db8::/32"),
        ("fe80::1%eth0", "fe80::/10"),
        ("192.0.3.1", None),
        ("::192.0.2.1", None),
        ("64:ff9b::c000:201", None),
        ("2002:c000:201::", None),
        ("2001:db9::1", None),
        ("", None),
        ("/run/socket", None),
    ],
)
def test_who_is_in(address: str, network: str | None) -> None:
    networks = [read_network(each) for each in ("192.0.2.0/24", "2001:db8::/32", "fe80::/10")]
    found = is_in(address, networks)
    assert (found and str(found)) == network
    assert is_in(address, ()) is None


def test_a_running_server_takes_it_over() -> None:
    assert is_reloaded("relay.networks")
