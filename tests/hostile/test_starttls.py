"""Commands in clear behind STARTTLS or STLS (CVE-2011-0411 and its kin): the connection is dropped, and nothing of them runs."""

import pytest

from tests.hostile.talk import greeted, hello, imap, pop3, submitted
from tests.service import Server

pytestmark = pytest.mark.service

BEHIND = [b"NOOP\r\n", b"RSET\r\nMAIL FROM:<eve@example.net>\r\n", b"N", b"\r\n"]


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("listener", ["smtp", "submission"])
def test_smtp_in_one_packet(victim: Server, listener: str, behind: bytes) -> None:
    with hello(victim, listener) as client:
        client.send(b"STARTTLS\r\n" + behind)
        assert client.rest() == b""


def test_pop3_in_one_packet(victim: Server) -> None:
    with greeted(victim, "pop3") as client:
        client.send(b"STLS\r\nUSER alice@example.org\r\n")
        assert client.rest() == b""


@pytest.mark.parametrize(
    "behind", [b"b NOOP\r\n", b"b CAPABILITY\r\n", b'b LOGIN "alice@example.org" {6}\r\nsecret\r\n']
)
def test_imap_in_one_packet(victim: Server, behind: bytes) -> None:
    with greeted(victim, "imap") as client:
        client.send(b"a STARTTLS\r\n" + behind)
        assert client.rest() == b""


@pytest.mark.parametrize(
    ("listener", "asked", "behind"),
    [
        ("smtp", b"EHLO x\r\nSTARTTLS\r\n", b"NOOP\r\n"),
        ("pop3", b"STLS\r\n", b"CAPA\r\n"),
        ("imap", b"a STARTTLS\r\n", b"b NOOP\r\n"),
    ],
)
def test_after_the_answer_what_comes_in_clear_is_no_command(
    victim: Server, listener: str, asked: bytes, behind: bytes
) -> None:
    with greeted(victim, listener) as client:
        client.send(asked)
        while not client.line().startswith((b"220 ", b"+OK ", b"a OK ")):
            pass
        client.send(behind * 100)
        said = client.rest()
        assert said == b"" or said[0] == 21  # a TLS alert


LITERALS = [
    b"a STARTTLS {7}\r\nb NOOP\r\n",
    b"a STARTTLS {7+}\r\nb NOOP\r\n\r\n",
    b"a STARTTLS {0+}\r\n\r\n",
    b"a LOGIN x {10+}\r\nb STARTTLS\r\n",
    b'a STARTTLS "b NOOP"\r\n',
    b"a STARTTLS \r\nb NOOP\r\n",
    b"a STARTTLS\nb NOOP\r\n",
]


@pytest.mark.parametrize("said", LITERALS)
def test_no_literal_hides_a_command_behind_starttls(victim: Server, said: bytes) -> None:
    """Whatever the server takes it for: after the answer that begins TLS no plain word is heard."""
    with greeted(victim, "imap") as client:
        client.send(said)
        client.sock.shutdown(1)
        heard = client.rest()
        assert b"b OK" not in heard
        assert b"Begin TLS" not in heard or heard.endswith(b"Begin TLS now\r\n")


ASK = {"smtp": b"STARTTLS\r\n", "submission": b"STARTTLS\r\n", "pop3": b"STLS\r\n", "imap": b"a STARTTLS\r\n"}
MORE = {"smtp": b"NOOP\r\n", "submission": b"NOOP\r\n", "pop3": b"CAPA\r\n", "imap": b"b NOOP\r\n"}


@pytest.mark.parametrize("listener", ASK)
def test_wherever_the_packets_are_cut_nothing_in_clear_is_answered(victim: Server, listener: str) -> None:
    """Cut in the middle of a command, or of what was put behind it."""
    whole = ASK[listener] + MORE[listener]
    for cut in range(1, len(whole)):
        with greeted(victim, listener) as client:
            if listener in ("smtp", "submission"):
                client.ask(b"EHLO client.example.net\r\n")
            client.send(whole[:cut])
            client.send(whole[cut:])
            said = client.rest()
        first, _, later = said.partition(b"\n")
        assert not later or later[0] == 21, (cut, said)  # a TLS alert
        assert first == b"" or first.startswith((b"220 ", b"+OK ", b"a OK ")), (cut, said)


@pytest.mark.parametrize("listener", ["smtp", "submission"])
def test_smtp_forgets_all_that_was_said_in_clear(victim: Server, listener: str) -> None:
    """RFC 3207 section 4.2: the name in EHLO, and whatever transaction there was."""
    with greeted(victim, listener) as client:
        assert client.ask(b"STARTTLS\r\n").startswith(b"503 5.5.1 ")
        client.ask(b"EHLO client.example.net\r\n")
        if listener == "smtp":
            assert client.ask(b"MAIL FROM:<eve@example.net>\r\n").startswith(b"250 ")
            assert client.ask(b"STARTTLS\r\n").startswith(b"503 5.5.1 ")
            client.ask(b"RSET\r\n")
        assert client.ask(b"STARTTLS\r\n").startswith(b"220 ")
        client.start_tls(victim)
        assert client.ask(b"MAIL FROM:<eve@example.net>\r\n").startswith(b"503 5.5.1 Send EHLO first")
        assert client.ask(b"RCPT TO:<bob@example.org>\r\n").startswith(b"503 5.5.1 ")
        assert client.ask(b"EHLO client.example.net\r\n").startswith(b"250 ")
        assert client.ask(b"STARTTLS\r\n").startswith(b"503 5.5.1 ")


def test_pop3_forgets_the_user_that_was_named_in_clear(victim: Server) -> None:
    with greeted(victim, "pop3") as client:
        client.ask(b"USER alice@example.org\r\n")
        assert client.ask(b"STLS\r\n").startswith(b"+OK")
        client.start_tls(victim)
        assert client.ask(f"PASS {victim.password}\r\n".encode()).startswith(b"-ERR Send USER first")
        assert client.ask(b"STLS\r\n").startswith(b"-ERR ")


def test_after_the_login_no_protocol_begins_tls(victim: Server) -> None:
    with submitted(victim) as client:
        assert client.ask(b"STARTTLS\r\n").startswith(b"503 5.5.1 ")
        assert client.ask(b"NOOP\r\n").startswith(b"250 ")
    with pop3(victim) as client:
        assert client.ask(b"STLS\r\n").startswith(b"-ERR ")
        assert client.ask(b"NOOP\r\n").startswith(b"+OK")
    with imap(victim) as client:
        assert client.tagged(b"a STARTTLS\r\n").startswith(b"a BAD ")
        assert client.tagged(b"b NOOP\r\n").startswith(b"b OK")
