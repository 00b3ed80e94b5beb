"""Clients that are slow, silent, early or do not read: they hold their own connection, and nobody else's."""

import socket
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.hostile.talk import Client, append, closed, eventually, greeted, imap, pop3, serves_others
from tests.service import Server, serving

pytestmark = pytest.mark.service

MIB = 1 << 20
CLIENTS = 45
LISTENERS = ["smtp", "submission", "pop3", "imap"]
FAREWELL = {"smtp": b"421 4.4.2 ", "submission": b"421 4.4.2 ", "pop3": b"", "imap": b"* BYE "}


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> object:
    """A server that waits for half a second."""
    folder: Path = tmp_path_factory.mktemp("impatient") / "data"
    patience = [f"{name}.command_timeout=500ms" for name in LISTENERS]
    with serving(folder, *patience, "smtp.data_timeout=500ms", "login.failure_delay=0s") as server:
        yield server


@pytest.mark.parametrize("listener", LISTENERS)
def test_who_is_silent_is_sent_away(impatient: Server, listener: str) -> None:
    with greeted(impatient, listener) as client:
        said = client.rest()
    assert said.startswith(FAREWELL[listener])
    assert said.count(b"\r\n") == bool(FAREWELL[listener])


@pytest.mark.parametrize("listener", LISTENERS)
def test_who_sends_an_octet_now_and_then_has_no_more_time_for_a_line_than_others(
    impatient: Server, listener: str
) -> None:
    """Each octet comes well within the deadline; the line does not."""
    with greeted(impatient, listener) as client:
        client.sock.settimeout(0.1)
        begun = time.monotonic()
        while time.monotonic() - begun < 5:
            client.send(b"N")
            try:
                said = client.sock.recv(1 << 16)
            except TimeoutError:
                continue
            except ConnectionError:
                said = b""
            break
        assert time.monotonic() - begun < 4
        assert said.startswith(FAREWELL[listener])


def test_who_is_silent_in_the_middle_of_a_message_or_a_literal_is_sent_away(impatient: Server) -> None:
    with greeted(impatient, "smtp") as client:
        client.ask(b"EHLO client.example.net\r\n")
        client.send(b"MAIL FROM:<eve@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: x\r\n")
        assert client.rest().splitlines()[-1].startswith(b"421 4.4.2 ")
    with imap(impatient) as client:
        client.send(b"a APPEND INBOX {1000+}\r\nSubject")
        assert client.rest().startswith(b"* BYE ")
    assert not impatient.blobs()


def test_hundreds_of_idle_connections_hold_little_and_nobody_up(victim: Server) -> None:
    """CLIENTS on each port, some in TLS; each costs some kilobytes."""
    before = victim.resident_octets()
    with ExitStack() as stack:
        for listener in LISTENERS:
            for _ in range(CLIENTS):
                stack.enter_context(greeted(victim, listener))
        assert victim.resident_octets() - before < len(LISTENERS) * CLIENTS * 64 * 1024
        begun = time.monotonic()
        serves_others(victim)
        assert time.monotonic() - begun < 2


def test_the_connection_beyond_the_limit_is_told_so_and_the_others_go_on(victim: Server) -> None:
    with ExitStack() as stack:
        for listener, words in (("pop3", b"-ERR [SYS/TEMP] Too many"), ("imap", b"* BYE [UNAVAILABLE] Too many")):
            clients = [stack.enter_context(greeted(victim, listener)) for _ in range(50)]
            with victim.connect(listener) as sock:
                assert Client(sock).rest().startswith(words)
            assert clients[0].ask(b"a NOOP\r\n" if listener == "imap" else b"CAPA\r\n").startswith((b"a OK", b"+OK"))
    eventually(lambda: _served(victim))


def _served(server: Server) -> bool:
    """Those that have gone are counted no more."""
    with server.connect("imap") as sock:
        return Client(sock).line().startswith(b"* OK")


@pytest.mark.parametrize(
    ("listener", "early", "answers"),
    [
        ("smtp", b"EHLO client.example.net\r\nNOOP\r\nQUIT\r\n", (b"220 ", b"250 2.0.0 OK", b"221 ")),
        ("pop3", b"CAPA\r\nNOOP\r\nQUIT\r\n", (b"+OK ", b"-ERR ", b"+OK ")),
        ("imap", b"a CAPABILITY\r\nb NOOP\r\nc LOGOUT\r\n", (b"* OK ", b"b OK ", b"c OK ")),
    ],
)
def test_who_talks_before_the_greeting_is_greeted_first(
    victim: Server, listener: str, early: bytes, answers: tuple[bytes, ...]
) -> None:
    with victim.connect(listener) as sock:
        sock.sendall(early)
        said = Client(sock).rest().splitlines()
    assert said[0].startswith(answers[0])
    places = [next(place for place, line in enumerate(said) if line.startswith(each)) for each in answers[:1]]
    assert places == [0]
    assert any(line.startswith(answers[1]) for line in said)
    assert said[-1].startswith(answers[2])


def mute(client: Client, asked: bytes, most: int) -> int:
    """Ask again and again, and read nothing, until the server reads no more; answers with the octets that it took."""
    client.sock.setblocking(False)
    sent = refused = 0
    while refused < 200:
        try:
            sent += client.sock.send(asked)
            refused = 0
        except (BlockingIOError, OSError):
            refused += 1
            time.sleep(0.001)
        assert sent < most
    return sent


def test_who_does_not_read_its_mail_is_not_read_either(victim: Server) -> None:
    """POP3 and IMAP: what waits to be read is bounded, however often it is asked for."""
    with imap(victim) as client:
        append(client, b"INBOX", b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 60_000 + b"\r\n")
    before = victim.resident_octets()
    with pop3(victim) as one, imap(victim, selected="INBOX") as two:
        last = int(one.ask(b"STAT\r\n").split()[1])
        for client, asked in ((one, b"RETR %d\r\n" % last), (two, b"a FETCH * BODY.PEEK[]\r\n")):
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            mute(client, asked * 100, 8 * MIB)
            serves_others(victim)
        assert victim.resident_octets() - before < 24 * MIB
    ended = closed(victim)
    eventually(lambda: closed(victim) >= ended)
    with imap(victim, selected="INBOX") as client:
        assert client.tagged(b"a STORE * +FLAGS.SILENT (\\Deleted)\r\n").startswith(b"a OK")
        assert client.tagged(b"b CLOSE\r\n").startswith(b"b OK")
