"""One try at a destination, over real sockets: which host, in which manner, and what a failure is called."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailhost.events.event import PORT_BLOCKED, PORT_OPEN, Event, Events
from mailhost.relay.attempt import Connector, RelaySettings, Trouble, told
from mailhost.relay.dns import Resolver
from mailhost.relay.handshake import Smarthost
from mailhost.relay.mx import Ourselves
from mailhost.relay.reach import Reach
from mailhost.relay.routes import Routes
from mailhost.smtp.client.dialogue import Timeouts
from mailhost.smtp.client.outgoing import Outgoing, To
from mailhost.transport.channel import EndOfInput, TimedOut
from tests.dns import dns_server
from tests.relay.hosts import Host, certificates, serving, twisted_here
from tests.unit.smtp.client.peer import Text, message

ZONE = {
    "blue.test MX": ["10 mx.blue.test.", "20 b.blue.test."],
    "mx.blue.test A": ["127.0.0.1"],
    "b.blue.test A": ["127.0.0.1"],
    "smart.test A": ["127.0.0.1"],
}
QUICK = Timeouts(greeting=5, command=5, data=5, block=5, end=5, message=10)


@asynccontextmanager
async def connecting(first: Host | None, second: Host | None = None, **settings: Any) -> AsyncIterator[Connector]:
    """A connector for which mx.blue.test and b.blue.test are these hosts; None is a port where nobody listens."""
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(twisted_here())
        _, dns = stack.enter_context(dns_server(settings.pop("zone", ZONE)))
        places = {}
        for name, host in (("mx.blue.test", first), ("b.blue.test", second)):
            places[f"{name}:25"] = (
                "127.0.0.1",
                free_port() if host is None else await stack.enter_async_context(serving(host)),
            )
        reach, events = settings.pop("reach", None), settings.pop("events", None)
        all_settings: dict[str, Any] = {
            "allow_private_targets": True,
            "connect_map": places,
            "timeouts": QUICK,
        } | settings
        resolver = Resolver([("127.0.0.1", dns)], timedelta(seconds=2))
        yield Connector(resolver, RelaySettings("me.test", **all_settings), reach, events)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


async def send(connector: Connector, domain: str = "blue.test") -> str:
    """The host that took a message."""
    connection = await connector.open(domain)
    sent = await connection.client.send(message())
    await connection.client.quit()
    assert [str(each) for each in sent.answers] == ["250 2.0.0 taken"]
    return connection.host.name


async def trouble(connector: Connector, domain: str = "blue.test") -> Trouble:
    with pytest.raises(Trouble) as found:
        await connector.open(domain)
    return found.value


async def test_the_best_host_takes_it() -> None:
    host = Host()
    async with connecting(host) as connector:
        assert await send(connector) == "mx.blue.test"
    assert host.contents == [b"Subject: x\r\n\r\n..dot\r\n.\r\n"]
    assert host.heard[-1] == "QUIT"


@pytest.mark.parametrize(
    "first", [None, Host(greeting="421 busy"), Host(greeting="554 no"), Host(replies={"EHLO": "421 no"})]
)
async def test_the_next_host_where_the_first_is_of_no_use(first: Host | None) -> None:
    async with connecting(first, Host()) as connector:
        assert await send(connector) == "b.blue.test"


async def test_what_may_pass_counts_more_than_what_is_final() -> None:
    async with connecting(Host(greeting="521 no mail"), None) as connector:
        assert (await trouble(connector)).status == "4.4.1"
    async with connecting(Host(greeting="521 5.3.2 no mail"), Host(greeting="521 5.3.2 none")) as connector:
        assert (await trouble(connector)).status == "5.3.2"


async def test_helo_after_a_peer_that_hangs_up_at_ehlo() -> None:
    host = Host(replies={"EHLO": "close"})
    async with connecting(host) as connector:
        assert await send(connector) == "mx.blue.test"
    assert host.heard[:2] == ["EHLO me.test", "HELO me.test"]
    assert host.connections == 2


@pytest.mark.parametrize(("source", "seen"), [("127.0.0.2", "127.0.0.2"), ("", "127.0.0.1")])
async def test_connections_come_from_the_address_of_the_settings(source: str, seen: str) -> None:
    class Curious(Host):
        async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.heard.append(writer.get_extra_info("peername")[0])
            await super().serve(reader, writer)

    host = Curious()
    async with connecting(host, source=source) as connector:
        await send(connector)
    assert host.heard[0] == seen


async def test_a_source_of_the_other_kind_is_said_and_the_other_addresses_tried() -> None:
    zone = {"blue.test MX": ["10 mx.blue.test.", "20 b.blue.test."], "mx.blue.test AAAA": ["::1"]} | {
        "b.blue.test A": ["127.0.0.1"]
    }
    host = Host()
    async with serving(host) as port:
        places = {"b.blue.test:25": ("127.0.0.1", port)}
        async with connecting(None, zone=zone, connect_map=places, source="127.0.0.2") as connector:
            assert await send(connector) == "b.blue.test"


async def test_a_large_message_arrives_as_it_is() -> None:
    host = Host()
    text = b"Subject: x\r\n\r\n" + b".x\r\n" * 1_000_000
    async with connecting(host) as connector:
        connection = await connector.open("blue.test")
        content = Text(text, cut=256 << 10)
        sent = await connection.client.send(Outgoing("alice@red.test", [To("bob@blue.test")], content))
        await connection.client.quit()
    assert [str(each) for each in sent.answers] == ["250 2.0.0 taken"]
    assert host.contents[0].replace(b"\n..", b"\n.") == text + b".\r\n"


async def test_a_host_that_reads_no_more_is_left_to_itself() -> None:
    """Within the time of one block, and with as little of the message in memory as the transport holds."""

    class Full(Host):
        async def content(self, reader: asyncio.StreamReader) -> bytes:
            await given_up.wait()
            raise ConnectionError

    asked, given_up = 0, asyncio.Event()

    class Counted(Text):
        async def pieces(self) -> AsyncIterator[bytes]:
            nonlocal asked
            async for piece in Text.pieces(self):
                asked += len(piece)
                yield piece

    async with connecting(Full(), timeouts=replace(QUICK, block=0.2)) as connector:
        connection = await connector.open("blue.test")
        content = Counted(b"x" * 78 * 1_000_000, cut=256 << 10)
        sent = await connection.client.send(Outgoing("alice@red.test", [To("bob@blue.test")], content))
        assert connection.client.step == "content"
        given_up.set()
        await connection.client.quit()
    assert sent.answers == [None]
    assert isinstance(sent.broken, TimedOut)
    assert asked < 16 << 20


async def test_a_try_that_is_given_up_leaves_no_connection_behind() -> None:
    class Mute(Host):
        async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            came.set()
            with suppress(ConnectionError):
                await reader.read()
            gone.set()

    came, gone = asyncio.Event(), asyncio.Event()
    async with connecting(Mute()) as connector:
        opening = asyncio.ensure_future(connector.open("blue.test"))
        await came.wait()
        opening.cancel()
        await asyncio.wait([opening])
        await asyncio.wait_for(gone.wait(), 5)


# TLS


async def test_starttls_where_it_is_offered(tmp_path: Path) -> None:
    _, context = certificates(tmp_path, "other.name.test")
    host = Host(["STARTTLS", "SIZE 1"], in_tls=["PIPELINING"], context=context)
    async with connecting(host) as connector:
        connection = await connector.open("blue.test")
        assert connection.client.channel.peer.tls.startswith("TLSv1.")
        assert "SIZE" not in connection.client.abilities
        await connection.client.quit()
    assert host.heard == ["EHLO me.test", "STARTTLS", "EHLO me.test", "QUIT"]


def old_tls(folder: Path) -> ssl.SSLContext:
    _, context = certificates(folder, "host.test")
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


@pytest.mark.parametrize("kind", ["garbage", "nothing", "old"])
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_once_more_in_clear_where_the_handshake_fails(kind: str, tmp_path: Path) -> None:
    host = Host(["STARTTLS"])
    if kind == "old":
        host.context = old_tls(tmp_path)
    else:
        host.handshake = b"this is no TLS\r\n" * 3 if kind == "garbage" else b""
    async with connecting(host) as connector:
        assert await send(connector) == "mx.blue.test"
        assert host.heard[:3] == ["EHLO me.test", "STARTTLS", "EHLO me.test"]
        assert host.connections == 2
    async with connecting(host, clear_after_failed_tls=False) as connector:
        assert (await trouble(connector)).status == "4.4.1"  # the second host's, which was tried after it
    async with connecting(host, host, clear_after_failed_tls=False) as connector:
        assert (await trouble(connector)).status == "4.7.5"

    class Silent(Host):
        async def answered(self, reader: asyncio.StreamReader) -> None:
            await reader.read()

    host = Silent(["STARTTLS"], handshake=b"")
    async with connecting(host, timeouts=Timeouts(command=0.3)) as connector:
        connection = await connector.open("blue.test")
        assert connection.client.channel.peer.tls == ""
        await connection.client.quit()
    assert host.connections == 2


@pytest.mark.parametrize("reply", ["454 4.7.0 not now", "502 what"])
async def test_starttls_refused_goes_on_in_clear_on_the_same_connection(reply: str) -> None:
    host = Host(["STARTTLS"], replies={"STARTTLS": reply})
    async with connecting(host) as connector:
        assert await send(connector) == "mx.blue.test"
    assert host.connections == 1


async def test_injected_replies_defer_and_are_not_taken_in_clear() -> None:
    host = Host(["STARTTLS"], replies={"STARTTLS": "220 go\r\n250 injected"}, handshake=b"")
    async with connecting(host) as connector:
        found = await trouble(connector)
    assert found.status.startswith("4.")
    assert "MAIL" not in " ".join(host.heard)


# Routes


@pytest.fixture
def password_file(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.write_text("pencil\n")
    path.chmod(0o600)
    return path


@asynccontextmanager
async def smarthost(
    host: Host, tmp_path: Path, password_file: Path, names: tuple[str, ...] = ("smart.test",), **settings: Any
) -> AsyncIterator[Connector]:
    made, host.context = certificates(tmp_path / "tls", *names)
    async with serving(host) as port:
        routes = Routes({"*": f"smtp{'s' if host.implicit_tls else ''}:smart.test:{port}"}, logs_in=True)
        smart = Smarthost("user", password_file, made.ca)
        settings |= {"routes": routes, "smarthost": smart, "allow_private_targets": False}
        async with connecting(None, **settings) as connector:
            yield connector


AUTH = ["PIPELINING", "AUTH PLAIN LOGIN"]


@pytest.mark.parametrize("implicit", [True, False])
async def test_the_smarthost_proves_itself_and_then_we_log_in(
    implicit: bool, tmp_path: Path, password_file: Path
) -> None:
    host = Host(AUTH if implicit else ["STARTTLS"], in_tls=AUTH, implicit_tls=implicit)
    async with smarthost(host, tmp_path, password_file) as connector:
        assert await send(connector, "anywhere.test") == "smart.test"
        assert connector.key("anywhere.test") == connector.key("elsewhere.test")
    assert "AUTH PLAIN AHVzZXIAcGVuY2ls" in host.heard


@pytest.mark.parametrize("implicit", [True, False])
async def test_no_password_for_a_host_of_another_name(implicit: bool, tmp_path: Path, password_file: Path) -> None:
    host = Host(AUTH if implicit else ["STARTTLS"], in_tls=AUTH, implicit_tls=implicit)
    async with smarthost(host, tmp_path, password_file, ("evil.test",)) as connector:
        found = await trouble(connector, "anywhere.test")
    assert found.status == "4.7.5"
    assert "relay.ca" in found.reason
    assert "AUTH" not in " ".join(host.heard)


@pytest.mark.parametrize("offered", [["AUTH PLAIN"], ["STARTTLS", "AUTH PLAIN"]])
async def test_no_password_without_tls(offered: list[str], tmp_path: Path, password_file: Path) -> None:
    """Neither where it is not offered, nor where the handshake fails: somebody may have taken it away."""
    host = Host(offered, handshake=b"no TLS\r\n")
    async with smarthost(host, tmp_path, password_file) as connector:
        found = await trouble(connector, "anywhere.test")
    assert found.status in ("4.7.4", "4.7.5")
    assert "AUTH" not in " ".join(host.heard)


async def test_a_wrong_password_lets_all_wait_with_the_cure(tmp_path: Path, password_file: Path) -> None:
    host = Host(AUTH, replies={"AUTH": "535 5.7.8 authentication failed"}, implicit_tls=True)
    async with smarthost(host, tmp_path, password_file) as connector:
        found = await trouble(connector, "anywhere.test")
    assert (found.status, found.is_final) == ("4.7.8", False)
    assert "relay.password_file" in found.reason
    assert "pencil" not in found.reason
    assert str(found.heard) == "535 5.7.8 authentication failed"


@pytest.mark.parametrize(("prepare", "why"), [("open", "chmod 600"), ("gone", "cannot be read"), ("empty", "is empty")])
async def test_a_password_file_that_does_not_do(prepare: str, why: str, tmp_path: Path, password_file: Path) -> None:
    if prepare == "open":
        password_file.chmod(0o644)
    elif prepare == "gone":
        password_file.unlink()
    else:
        password_file.write_text("\n")
    host = Host(AUTH, implicit_tls=True)
    async with smarthost(host, tmp_path, password_file) as connector:
        found = await trouble(connector, "anywhere.test")
    assert found.status == "4.3.5"
    assert why in found.reason
    assert "AUTH" not in " ".join(host.heard)


async def test_the_password_is_for_the_smarthost_alone(tmp_path: Path, password_file: Path) -> None:
    """Another route, and the MX of a domain that is to be reached by DNS, never hear it."""
    host = Host(AUTH)
    async with serving(host) as port:
        table = {"*": "smtps:smart.test:465", "blue.test": f"smtp:[127.0.0.1]:{port}"}
        routes = Routes(table, logs_in=True)
        async with connecting(host, routes=routes, smarthost=Smarthost("user", password_file)) as connector:
            assert await send(connector) == "[127.0.0.1]"
    assert "AUTH" not in " ".join(host.heard)


async def test_lmtp_at_a_unix_socket(tmp_path: Path) -> None:
    host = Host(["PIPELINING"], lmtp=["250 2.0.0 stored", "452 4.2.2 full"])
    path = str(tmp_path / "s")
    async with serving(host, path), connecting(None, routes=Routes({"blue.test": f"lmtp:{path}"})) as connector:
        connection = await connector.open("blue.test")
        sent = await connection.client.send(message("a@blue.test", "b@blue.test"))
        await connection.client.quit()
    assert [str(each) for each in sent.answers] == ["250 2.0.0 stored", "452 4.2.2 full"]
    assert host.heard[0] == "LHLO me.test"


async def test_lmtp_nobody_there(tmp_path: Path) -> None:
    async with connecting(None, routes=Routes({"blue.test": f"lmtp:{tmp_path}/gone"})) as connector:
        found = await trouble(connector)
    assert found.status == "4.4.1"
    assert "/gone" in found.reason


# Where not to go


async def test_private_targets_are_refused_by_name_and_as_literals() -> None:
    host = Host()
    async with connecting(host, Host(), allow_private_targets=False) as connector:
        for domain in ("blue.test", "[127.0.0.1]", "[IPv6:::1]"):
            assert (await trouble(connector, domain)).status == "5.4.4"
    assert host.connections == 0


async def test_ourselves_among_the_exchangers_by_address() -> None:
    """No circle, whatever the name; what is better than we are is tried before."""
    host = Host()
    async with serving(host) as port:
        places = {"mx.blue.test:25": ("127.0.0.1", port), "b.blue.test:25": ("127.0.0.1", free_port())}
        us = Ourselves({"me.test"}, "0.0.0.0", port)
        async with connecting(None, connect_map=places, ourselves=us) as connector:
            assert (await trouble(connector)).status == "5.4.6"
        us = Ourselves({"me.test"}, "0.0.0.0", places["b.blue.test:25"][1])
        async with connecting(None, connect_map=places, ourselves=us) as connector:
            assert await send(connector) == "mx.blue.test"
        assert host.connections == 1


async def test_a_backup_that_cannot_look_up_the_better_one_waits() -> None:
    """It is in no circle: it does not know yet."""
    port = free_port()
    places = {"b.blue.test:25": ("127.0.0.1", port)}
    with dns_server(ZONE) as (zone, dns):
        zone.failing.add("mx.blue.test")
        us = Ourselves({"me.test"}, "0.0.0.0", port)
        settings = RelaySettings("me.test", connect_map=places, allow_private_targets=True, ourselves=us)
        connector = Connector(Resolver([("127.0.0.1", dns)], timedelta(seconds=0.5)), settings)
        assert (await trouble(connector)).status == "4.4.3"


async def test_a_name_that_is_all_dead_addresses_stays_bounded() -> None:
    names = [f"d{at}.test" for at in range(30)]
    zone = {"blue.test MX": [f"10 {name}." for name in names]} | {f"{name} A": ["127.0.0.1"] for name in names}
    host = Host(greeting="421 4.3.2 busy")
    async with serving(host) as port:
        places = {f"{name}:25": ("127.0.0.1", port) for name in names}
        async with connecting(None, zone=zone, connect_map=places, most_addresses=7) as connector:
            found = await trouble(connector)
    assert (found.status, host.connections) == ("4.3.2", 7)


async def test_one_try_is_bounded_as_a_whole() -> None:
    class Mute(Host):
        async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()

    async with connecting(Mute(), Mute(), open_timeout=timedelta(seconds=0.3)) as connector:
        found = await trouble(connector)
    assert found.status == "4.4.1"
    assert "in time" in found.reason


# Everybody is silent


@contextmanager
def silent_port() -> Iterator[int]:
    """A port whose queue is full: the system answers no further connection, as a network does that drops packets."""
    with socket.socket() as listening, ExitStack() as stack:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(10):
            one = stack.enter_context(socket.socket())
            one.settimeout(0.2)
            try:
                one.connect(listening.getsockname())
            except TimeoutError:
                yield listening.getsockname()[1]
                return
        raise AssertionError("the queue is never full")


async def test_when_every_destination_is_silent_the_reason_names_the_cure() -> None:
    events, said = Events(), list[Event]()
    events.subscribe(said.append)
    domains = [f"d{at}.test" for at in range(6)]
    zone = {f"{each} A": ["127.0.0.1"] for each in domains}
    host = Host()
    with silent_port() as silent:
        async with serving(host) as port:
            places = {f"{each}:25": ("127.0.0.1", silent) for each in domains[:5]} | {"d5.test:25": ("127.0.0.1", port)}
            settings: dict[str, Any] = {"zone": zone, "connect_map": places, "connect_timeout": timedelta(seconds=0.2)}
            async with connecting(None, reach=Reach(events), **settings) as connector:
                reasons = [(await trouble(connector, each)).reason for each in domains[:5]]
                assert connector.reach.is_blocked
                await send(connector, "d5.test")
                assert connector.reach.status == ""
    assert ["smarthost" in each for each in reasons] == [False] * 4 + [True]
    assert [each.kind for each in said] == [PORT_BLOCKED, PORT_OPEN]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_port_25_blocked_is_said_once_and_taken_back() -> None:
    events, told_, clock = Events(), list[Event](), Clock()
    events.subscribe(told_.append)
    reach = Reach(events, clock)
    for at in range(4):
        reach.silent(f"d{at}.test")
        reach.silent("d0.test")
    assert reach.status == ""
    for at in range(20):
        reach.silent(f"e{at}.test")
    assert "relay.routes" in reach.status
    reach.reached()
    assert reach.status == ""
    assert [each.kind for each in told_] == [PORT_BLOCKED, PORT_OPEN]


def test_silence_counts_only_where_nobody_has_answered_lately() -> None:
    clock = Clock()
    reach = Reach(None, clock)
    reach.reached()
    for at in range(100):
        clock.now += 30
        reach.silent(f"d{at}.test")
    assert reach.status == ""
    for at in range(100):
        clock.now += 30
        reach.silent(f"d{at}.test")
    assert reach.status


def test_old_silence_is_forgotten() -> None:
    clock = Clock()
    reach = Reach(None, clock)
    for at in range(20):
        clock.now += 1_000
        reach.silent(f"d{at}.test")
    assert not reach.is_blocked


def test_behind_the_final_dot_the_words_say_that_nobody_knows() -> None:
    found = told(EndOfInput(), "end of content", "mx.blue.test")
    assert (found.status, found.is_final) == ("4.4.2", False)
    assert "unknown whether it was taken" in found.reason
    assert "may come twice" in found.reason
