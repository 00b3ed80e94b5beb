"""Commands in clear behind STARTTLS or STLS (CVE-2011-0411 and its kin): the connection is dropped, and nothing of them runs."""

import pytest

from tests.hostile.talk import greeted, hello
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
