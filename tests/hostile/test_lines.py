"""Lines that are too long or never end, commands that are none, clients that do not read."""

import pytest

from tests.hostile.talk import greeted, hello, serves_others
from tests.service import Server

pytestmark = pytest.mark.service

MIB = 1 << 20
REFUSALS = [("smtp", b"500 5.5.2 "), ("submission", b"500 5.5.2 "), ("pop3", b"-ERR ")]
FURTHER = {"pop3": b"CAPA\r\n"}


@pytest.mark.parametrize(("listener", "refusal"), REFUSALS)
@pytest.mark.parametrize("line", [b"a" * MIB, b"NOOP " + b" " * MIB, b"\0" * MIB, b"USER " + b"\r" * MIB])
def test_a_line_of_a_megabyte_is_refused_and_the_session_goes_on(
    victim: Server, listener: str, refusal: bytes, line: bytes
) -> None:
    with greeted(victim, listener) as client:
        assert client.ask(line + b"\r\n").startswith(refusal)
        assert client.ask(FURTHER.get(listener, b"NOOP\r\n")).startswith((b"250 ", b"+OK"))


@pytest.mark.parametrize(("listener", "refusal"), REFUSALS)
def test_a_line_that_never_ends_costs_no_memory(victim: Server, listener: str, refusal: bytes) -> None:
    before = victim.resident_octets()
    with greeted(victim, listener) as client:
        for _ in range(64):
            client.send(b"x" * MIB)
        serves_others(victim)
        assert victim.resident_octets() - before < 16 * MIB
        assert client.ask(b"\r\n").startswith(refusal)


@pytest.mark.parametrize("listener", ["smtp", "pop3", "imap"])
def test_unknown_commands_are_told_so_and_too_many_end_the_conversation(victim: Server, listener: str) -> None:
    with greeted(victim, listener) as client:
        answers = []
        while answer := client.ask(b"GET / HTTP/1.1\r\n"):
            answers.append(answer)
        refused = {"smtp": b"500 5.5.1 ", "pop3": b"-ERR ", "imap": b"GET BAD "}[listener]
        farewell = {"smtp": b"421 4.7.0 ", "pop3": b"-ERR Too many", "imap": b"* BYE "}[listener]
        assert all(answer.startswith(refused) for answer in answers[:20])
        assert answers[20].startswith(farewell)
        assert len(answers) == 21


def test_ten_thousand_recipients_in_one_packet_while_others_are_answered(victim: Server) -> None:
    count = 10_000
    with hello(victim) as flood, greeted(victim, "smtp") as other:
        flood.send(b"MAIL FROM:<eve@example.net>\r\n" + b"RCPT TO:<bob@example.org>\r\n" * count)
        flood.sock.setblocking(False)
        heard, noops = b"", 0
        while heard.count(b"\n") < count + 1:
            assert other.ask(b"NOOP\r\n").startswith(b"250 ")
            noops += 1
            try:
                heard += flood.sock.recv(1 << 20)
            except BlockingIOError:
                continue
        assert noops > 10
        codes = [line[:9] for line in heard.splitlines()]
        assert codes.count(b"250 2.1.5") == 1_000
        assert codes.count(b"452 4.5.3") == count - 1_000


def test_a_client_that_does_not_read_is_not_read_either(victim: Server) -> None:
    before = victim.resident_octets()
    with greeted(victim, "smtp") as mute, greeted(victim, "smtp") as other:
        mute.sock.setblocking(False)
        sent = refused = 0
        while refused < 200:
            try:
                sent += mute.sock.send(b"HELP\r\n" * 10_000)
                refused = 0
            except BlockingIOError:
                refused += 1
                assert other.ask(b"NOOP\r\n").startswith(b"250 ")
            assert sent < 64 * MIB
        assert victim.resident_octets() - before < 16 * MIB
