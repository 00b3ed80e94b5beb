"""Messages that are broken off, too large, or built to be costly."""

import pytest

from tests.hostile.talk import Client, begin, closed, eventually, hello, messages_of
from tests.service import Server

pytestmark = pytest.mark.service

MIB = 1 << 20
BOB = "bob@example.org"
DELIMITED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


@pytest.mark.parametrize("octets", [0, 100, 70_000, 1_000_000])
@pytest.mark.parametrize("end", [Client.reset, lambda client: client.sock.close()], ids=["reset", "closed"])
def test_a_connection_lost_in_the_middle_of_a_message_leaves_nothing(victim: Server, octets: int, end: object) -> None:
    before, files, ended = messages_of(victim, BOB), victim.blobs(), closed(victim)
    with hello(victim) as client:
        begin(client)
        client.send(b"Subject: lost\r\n\r\n" + b"x" * octets + b"\r\n.\r")
        assert callable(end)
        end(client)
        eventually(lambda: closed(victim) > ended)
    assert victim.blobs() == files
    assert messages_of(victim, BOB) == before


def test_a_message_beyond_the_limit_gets_552_and_the_connection_stays_usable(victim: Server) -> None:
    before, files = messages_of(victim, BOB), victim.blobs()
    with hello(victim) as client:
        begin(client)
        assert client.ask(b"Subject: x\r\n\r\n" + b"x" * 9 * MIB + b"\r\n.\r\n").startswith(b"552 5.3.4 ")
        assert victim.blobs() == files
        begin(client)
        assert client.ask(b"Subject: small\r\n\r\n.\r\n").startswith(b"250 2.0.0 ")
    assert messages_of(victim, BOB) == before + 1


def test_a_header_of_five_megabytes_is_refused(victim: Server) -> None:
    before = victim.resident_octets()
    with hello(victim) as client:
        begin(client)
        assert client.ask(b"X: " + b"y" * 5 * MIB + b"\r\n\r\n.\r\n").startswith(b"552 5.3.4 ")
        begin(client)
        assert client.ask(b"X: y\r\n" * 900_000 + b"\r\n.\r\n").startswith(b"552 5.3.4 ")
    assert victim.resident_octets() - before < 64 * MIB


COSTLY = {
    "250,000 commas": b"To: " + b"," * 250_000 + b"\r\n\r\nx\r\n",
    "60,000 addresses": b"To: " + b"a@b," * 60_000 + b"\r\n\r\nx\r\n",
    "60,000 fields": b"a:\r\n" * 60_000 + b"\r\nx\r\n",
    "250,000 fields": b"a:\r\n" * 250_000 + b"\r\nx\r\n",
    "30,000 verdicts": b"Authentication-Results: x;\r\n" * 30_000 + b"\r\n",
    "60,000 parameters": b"Content-Type: text/plain" + b";a=b" * 60_000 + b"\r\n\r\nx\r\n",
    "250,000 parentheses": b"To: " + b"(" * 250_000 + b"\r\n\r\nx\r\n",
    "250,000 quotes": b"To: " + b'"' * 250_000 + b"\r\n\r\nx\r\n",
    "3,000 parts in 16 KiB": DELIMITED + b"--b\r\n" * 3_000,
    "10,000 parts": DELIMITED + b"--b\r\n\r\n" * 10_000,
    "100,000 parts": DELIMITED + b"--b\r\na: b\r\n\r\n" * 100_000,
    "a part whose header never ends": DELIMITED + b"--b\r\n" + b"a: b\r\n" * 1_000_000,
    "false delimiters": DELIMITED + b"--bc\r\n" * 1_000_000,
    "a delimiter with blanks": DELIMITED + b"--b" + b" " * 7_000_000 + b"x\r\n",
    "nested": b"".join(b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(4_000)),
    "messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 8_000,
    "empty lines": b"Subject: x\r\n\r\n" + b"\r\n" * 2_000_000,
    "just under 64 KiB": b"Subject: x\r\n\r\n" + b"word " * 13_000 + b"\r\n",
    "just over 64 KiB": b"Subject: x\r\n\r\n" + b"word " * 13_200 + b"\r\n",
    "256 KiB": b"Subject: x\r\n\r\n" + b"0123456789abcdef" * 16_000 + b"\r\n",
}


@pytest.mark.parametrize("content", COSTLY.values(), ids=COSTLY)
def test_a_costly_message_is_accepted_and_keeps_nobody_waiting(victim: Server, content: bytes) -> None:
    """`victim` fails where the loop was blocked meanwhile."""
    with hello(victim) as client:
        begin(client)
        assert client.ask(content + b".\r\n").startswith(b"250 2.0.0 ")
