"""Where mail for a domain goes, as a DNS server on loopback has it; and what it says when it is ill."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import dns.asyncresolver
import dns.resolver
import pytest

import mailhost.relay.dns
from mailhost.relay.dns import DNSTrouble, NoSuchName, Resolver
from mailhost.relay.mx import MOST_ADDRESSES, MOST_HOSTS, Host, NoMail, Ourselves, exchangers, is_private, levels
from tests.dns import Zone, dns_server

US = "mx.us.test"
LIFETIME = timedelta(seconds=2)


@contextmanager
def asking(records: dict[str, list[str]], lifetime: timedelta = LIFETIME) -> Iterator[tuple[Resolver, Zone]]:
    with dns_server(records) as (zone, port):
        yield Resolver([("127.0.0.1", port)], lifetime), zone


async def found(resolver: Resolver, domain: str) -> list[str]:
    return [each.name for each in await exchangers(resolver, domain, {US})]


async def hosts(resolver: Resolver, domain: str) -> list[list[Host]]:
    return [level.places async for level in levels(resolver, await exchangers(resolver, domain, {US}))]


async def test_by_preference_and_at_random_among_equals() -> None:
    records = {"blue.test MX": ["20 c.test.", "10 A.test.", "10 b.test.", "0 first.test."]}
    with asking(records) as (resolver, _):
        orders = {tuple(await found(resolver, "blue.test")) for _ in range(60)}
    assert orders == {("first.test", "a.test", "b.test", "c.test"), ("first.test", "b.test", "a.test", "c.test")}


async def test_without_mx_the_address_stands_for_it() -> None:
    with asking({"blue.test A": ["192.0.2.1"]}) as (resolver, _):
        assert await hosts(resolver, "blue.test") == [[Host("blue.test", "192.0.2.1")]]


@pytest.mark.parametrize("mx", [["0 ."], ["5 ."], ["0 .", "10 ."]])
async def test_null_mx(mx: list[str]) -> None:
    with asking({"blue.test MX": mx, "blue.test A": ["192.0.2.1"]}) as (resolver, _), pytest.raises(NoMail) as no:
        await found(resolver, "blue.test")
    assert no.value.status == "5.1.10"


async def test_a_null_mx_beside_others_is_none() -> None:
    with asking({"blue.test MX": ["0 .", "10 mx.blue.test."]}) as (resolver, _):
        assert await found(resolver, "blue.test") == ["mx.blue.test"]


async def test_no_such_domain() -> None:
    with asking({}) as (resolver, _), pytest.raises(NoMail) as no:
        await found(resolver, "nowhere.test")
    assert no.value.status == "5.1.2"


async def test_only_those_that_are_better_than_we() -> None:
    records = {"blue.test MX": ["10 best.test.", "20 MX.us.test.", "20 equal.test.", "30 worse.test."]}
    with asking(records) as (resolver, _):
        assert await found(resolver, "blue.test") == ["best.test"]


async def test_we_are_the_best() -> None:
    with asking({"blue.test MX": ["10 mx.us.test.", "20 backup.test."]}) as (resolver, _), pytest.raises(NoMail) as no:
        await found(resolver, "blue.test")
    assert no.value.status == "5.4.6"


async def test_an_alias_is_followed() -> None:
    """Of the domain (RFC 5321 section 5.1), and of an MX, which RFC 2181 section 10.3 forbids and hosts do."""
    records = {
        "www.blue.test CNAME": ["blue.test."],
        "blue.test MX": ["10 mx.blue.test."],
        "mx.blue.test CNAME": ["host.blue.test."],
        "host.blue.test A": ["192.0.2.1"],
    }
    with asking(records) as (resolver, _):
        assert await hosts(resolver, "www.blue.test") == [[Host("mx.blue.test", "192.0.2.1")]]


async def test_an_alias_that_leads_nowhere_is_no_domain() -> None:
    with asking({"blue.test CNAME": ["gone.test."]}) as (resolver, _), pytest.raises(NoMail) as no:
        await found(resolver, "blue.test")
    assert no.value.status == "5.1.2"


@pytest.mark.parametrize("count", [2, 40])
async def test_aliases_without_end_are_given_up(count: int) -> None:
    records = {f"a{at}.test CNAME": [f"a{(at + 1) % count}.test."] for at in range(count)}
    with asking(records) as (resolver, zone):
        with pytest.raises(DNSTrouble, match="alias"):
            await found(resolver, "a0.test")
        assert len(zone.asked) < 20


async def test_addresses_by_turns_and_those_of_equals_together() -> None:
    records = {
        "blue.test MX": ["10 mx.blue.test.", "20 b.test."],
        "mx.blue.test A": ["192.0.2.1", "192.0.2.2"],
        "mx.blue.test AAAA": ["2001:db8::1"],
        "b.test A": ["192.0.2.3"],
    }
    with asking(records) as (resolver, _):
        first, second = await hosts(resolver, "blue.test")
    assert first[0].address == "2001:db8::1"
    assert len(first) == 3
    assert second == [Host("b.test", "192.0.2.3")]


async def test_an_mx_that_names_nothing_is_passed_over() -> None:
    records = {"blue.test MX": ["10 gone.test.", "20 b.test."], "b.test A": ["192.0.2.3"]}
    with asking(records) as (resolver, _):
        assert await hosts(resolver, "blue.test") == [[], [Host("b.test", "192.0.2.3")]]


async def test_an_mx_that_dns_is_silent_about_keeps_nobody_from_the_others() -> None:
    records = {"blue.test MX": ["10 ill.test.", "20 b.test."], "b.test A": ["192.0.2.3"], "ill.test A": ["192.0.2.9"]}
    with asking(records) as (resolver, zone):
        zone.failing.add("ill.test")
        seen = [level async for level in levels(resolver, await exchangers(resolver, "blue.test", {US}))]
    assert [each.places for each in seen] == [[], [Host("b.test", "192.0.2.3")]]
    assert [each.trouble is None for each in seen] == [False, True]


async def test_a_name_with_a_thousand_exchangers_gets_no_more_of_our_time() -> None:
    """The answer comes by TCP; what is looked at is bounded."""
    records = {
        "blue.test MX": [f"10 mx{at}.blue.test." for at in range(1_000)],
        "wide.test MX": ["10 wide.test."],
        "wide.test A": [f"192.0.2.{at}" for at in range(200)],
    }
    with asking(records, timedelta(seconds=20)) as (resolver, zone):
        zone.large |= {"blue.test", "wide.test"}
        assert len(await found(resolver, "blue.test")) == MOST_HOSTS
        ((*places,),) = await hosts(resolver, "wide.test")
        assert len(places) == MOST_ADDRESSES


async def test_answers_are_kept_for_their_time() -> None:
    with asking({"blue.test MX": ["10 mx.blue.test."]}) as (resolver, zone):
        for _ in range(3):
            await found(resolver, "blue.test")
        assert zone.asked == ["blue.test MX"]


class Clock:
    """Stands in for the module `time`."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for module in (dns.resolver, dns.asyncresolver, mailhost.relay.dns):
        monkeypatch.setattr(module, "time", made)
    return made


@pytest.mark.parametrize(
    ("ttl", "kept", "over"),
    [(0, None, 0), (300, 299, 301), (2**31 - 1, 23 * 3600, 25 * 3600)],
    ids=["none", "five minutes", "for ever"],
)
async def test_as_long_as_the_zone_says_and_no_longer_than_a_day(
    ttl: int, kept: int | None, over: int, clock: Clock
) -> None:
    with asking({"blue.test MX": ["10 old.test."]}) as (resolver, zone):
        zone.ttl["blue.test"] = ttl
        assert await found(resolver, "blue.test") == ["old.test"]
        zone.records["blue.test MX"] = ["10 new.test."]
        if kept is not None:
            clock.ahead = kept
            assert await found(resolver, "blue.test") == ["old.test"]
        clock.ahead = over
        assert await found(resolver, "blue.test") == ["new.test"]


@pytest.mark.parametrize(("ttl", "kept", "over"), [(0, None, 0), (60, 59, 61), (86_400, 890, 910), (None, None, 910)])
@pytest.mark.parametrize("is_there", [False, True], ids=["no such name", "no such record"])
async def test_that_there_is_nothing_is_kept_for_minutes(
    is_there: bool, ttl: int | None, kept: int | None, over: int, clock: Clock
) -> None:
    """Whoever mends his zone gets his mail, also where it named no time (RFC 2308 section 5)."""
    with asking({"blue.test TXT": ['"here"']} if is_there else {}) as (resolver, zone):
        zone.negative_ttl = ttl

        async def answer() -> list[tuple[int, str]] | None:
            try:
                return await resolver.mx("blue.test")
            except NoSuchName:
                return None

        nothing: list[tuple[int, str]] | None = [] if is_there else None
        assert await answer() == nothing
        zone.records["blue.test MX"] = ["10 mx.blue.test."]
        if kept is not None:
            clock.ahead = kept
            assert await answer() == nothing
        clock.ahead = over
        assert await answer() == [(10, "mx.blue.test")]


async def test_what_is_ill_is_not_remembered() -> None:
    with asking({"blue.test MX": ["10 mx.blue.test."]}, timedelta(seconds=0.2)) as (resolver, zone):
        zone.failing.add("blue.test")
        with pytest.raises(DNSTrouble):
            await found(resolver, "blue.test")
        zone.failing.clear()
        assert await found(resolver, "blue.test") == ["mx.blue.test"]


async def test_an_mx_that_is_an_address_is_passed_over() -> None:
    """It names a host (RFC 5321 section 5.1); "192.0.2.1." is a name that nobody has."""
    records = {"blue.test MX": ["10 192.0.2.1.", "20 b.test."], "b.test A": ["192.0.2.3"]}
    with asking(records) as (resolver, _):
        assert await hosts(resolver, "blue.test") == [[], [Host("b.test", "192.0.2.3")]]


async def test_an_answer_from_another_place_is_not_believed() -> None:
    with asking({"mx.blue.test A": ["192.0.2.1"]}) as (resolver, zone):
        zone.elsewhere.add("mx.blue.test")
        assert await resolver.addresses("mx.blue.test") == ["192.0.2.1"]


@pytest.mark.parametrize("fault", ["mute_by_tcp", "cut_by_tcp"])
async def test_half_an_answer_is_none(fault: str) -> None:
    """What does not fit into a packet, and is not to be had by TCP: later, and never with the half that came."""
    with asking({"blue.test MX": ["10 mx.blue.test."] * 2}, timedelta(seconds=0.15)) as (resolver, zone):
        zone.large.add("blue.test")
        getattr(zone, fault).add("blue.test")
        begun = time.monotonic()
        with pytest.raises(DNSTrouble):
            await found(resolver, "blue.test")
        assert time.monotonic() - begun < 5


ILL = ["failing", "silent", "refused", "lame", "false"]


@pytest.mark.parametrize("fault", ILL)
async def test_what_dns_cannot_say_now_is_asked_again_later(fault: str) -> None:
    """Never a bounce: it says nothing about the name."""
    with asking({"blue.test MX": ["10 mx.blue.test."]}, timedelta(seconds=0.2)) as (resolver, zone):
        getattr(zone, fault).add("blue.test")
        begun = time.monotonic()
        with pytest.raises(DNSTrouble):
            await found(resolver, "blue.test")
        assert time.monotonic() - begun < 5


@pytest.mark.parametrize(
    "octets", [b"", b"\x81\x80", b"\xff" * 500, b"\x81\x80\0\1\xff\xff\0\0\0\0" + b"\xc0\x0c" * 100]
)
async def test_garbage_is_no_answer(octets: bytes) -> None:
    with asking({}, timedelta(seconds=0.2)) as (resolver, zone):
        zone.garbage["blue.test"] = octets
        with pytest.raises(DNSTrouble):
            await found(resolver, "blue.test")


async def test_a_forged_answer_is_not_believed() -> None:
    with asking({"mx.blue.test A": ["192.0.2.1"]}) as (resolver, zone):
        zone.forged.add("mx.blue.test")
        assert await resolver.addresses("mx.blue.test") == ["192.0.2.1"]


async def test_without_a_configuration_the_server_beside_us_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(self: object, name: object = None) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.BaseResolver, "read_resolv_conf", read)
    assert Resolver([], LIFETIME)._resolver.nameservers == ["127.0.0.1"]


async def test_a_slow_answer_is_waited_for() -> None:
    with asking({"blue.test MX": ["10 mx.blue.test."]}) as (resolver, zone):
        zone.delays["blue.test"] = 0.2
        assert await found(resolver, "blue.test") == ["mx.blue.test"]


async def test_the_second_server_is_asked_where_the_first_is_ill() -> None:
    with dns_server({}) as (ill, first), dns_server({"blue.test MX": ["10 mx.blue.test."]}) as (_, second):
        ill.failing.add("blue.test")
        resolver = Resolver([("127.0.0.1", first), ("127.0.0.1", second)], LIFETIME)
        assert await found(resolver, "blue.test") == ["mx.blue.test"]


async def test_a_name_in_other_letters_is_asked_by_its_a_labels() -> None:
    with asking({"xn--fsqu00a.test MX": ["10 mx.blue.test."]}) as (resolver, _):
        assert await found(resolver, "xn--fsqu00a.test") == ["mx.blue.test"]


async def test_neither_address_nor_name() -> None:
    with asking({"here.test MX": ["10 here.test."]}) as (resolver, _):
        assert await resolver.addresses("here.test") == []
        with pytest.raises(NoSuchName):
            await resolver.addresses("gone.test")


async def test_literals_need_no_dns() -> None:
    with asking({}) as (resolver, zone):
        assert await hosts(resolver, "[192.0.2.1]") == [[Host("[192.0.2.1]", "192.0.2.1")]]
        assert await hosts(resolver, "[IPv6:2001:db8::1]") == [[Host("[IPv6:2001:db8::1]", "2001:db8::1")]]
        assert zone.asked == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "192.168.0.1",
        "172.16.9.9",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "255.255.255.255",
        "224.0.0.1",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "2002:7f00:1::",
        "2002:a00:1::",
        "64:ff9b::7f00:1",
        "64:ff9b::a00:1",
        "192.0.2.1",
    ],
)
def test_private_addresses_in_all_their_disguises(address: str) -> None:
    assert is_private(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2a00:1450:4001::1a", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_addresses_on_the_internet(address: str) -> None:
    assert not is_private(address)


@pytest.mark.parametrize(
    ("bind", "port", "address", "at", "is_us"),
    [
        ("127.0.0.1", 25, "127.0.0.1", 25, True),
        ("127.0.0.1", 25, "127.0.0.1", 2525, False),
        ("127.0.0.1", 25, "127.0.0.2", 25, False),
        ("0.0.0.0", 25, "127.0.0.1", 25, True),
        ("0.0.0.0", 25, "203.0.113.77", 25, False),
        ("::", 25, "127.0.0.1", 25, True),
        ("", 25, "127.0.0.1", 25, False),
    ],
)
def test_ourselves_by_address(bind: str, port: int, address: str, at: int, is_us: bool) -> None:
    assert Ourselves(bind=bind, port=port).is_at(address, at) is is_us
