"""Logins that are broken, too long or given up; and that no password is ever in the log."""

import base64
from pathlib import Path

import pytest

from tests.hostile.talk import Client, greeted, hello, submitting
from tests.service import Server, serving

pytestmark = pytest.mark.service


def b64(text: str) -> bytes:
    return base64.b64encode(text.encode())


def test_a_broken_exchange_ends_and_the_session_goes_on(victim: Server) -> None:
    alice = victim.addresses[0]
    with submitting(victim) as client:
        for first, answer in ((b"AUTH PLAIN\r\n", b"*"), (b"AUTH LOGIN\r\n", b"*")):
            assert client.ask(first).startswith(b"334 ")
            assert client.ask(answer + b"\r\n").startswith(b"501 5.7.0 ")
        for bad in (b"!", b"====", b"AAAA=", b"\xff\xfe", b"\0\0", b"A" * 5):
            assert client.ask(b"AUTH PLAIN\r\n").startswith(b"334 ")
            assert client.ask(bad + b"\r\n").startswith(b"501 5.5.2 "), bad
        assert client.ask(b"AUTH PLAIN\r\n").startswith(b"334 ")
        assert client.ask(b"A" * 65_536 + b"\r\n").startswith(b"500 5.5.6 ")
        assert client.ask(b"AUTH PLAIN " + b"A" * 65_536 + b"\r\n").startswith(b"500 5.5.2 ")
        assert client.ask(b"AUTH PLAIN " + b64(f"\0{alice}\0{victim.password}") + b"\r\n").startswith(b"235 ")


def test_a_login_that_is_never_finished_holds_nobody_up(victim: Server) -> None:
    alice = victim.addresses[0]
    with submitting(victim) as half, submitting(victim) as other:
        assert half.ask(b"AUTH LOGIN\r\n").startswith(b"334 ")
        assert other.ask(b"AUTH PLAIN " + b64(f"\0{alice}\0{victim.password}") + b"\r\n").startswith(b"235 ")
        half.reset()
        assert other.ask(b"NOOP\r\n").startswith(b"250 ")


def test_after_five_wrong_passwords_the_server_hangs_up(victim: Server) -> None:
    with submitting(victim) as client:
        tries = [client.ask(b"AUTH PLAIN " + b64("\0alice@example.org\0wrong") + b"\r\n")[:4] for _ in range(5)]
        assert tries == [b"535 "] * 4 + [b"421 "]
        assert client.rest() == b""


HOSTILE_NAMES = [
    "'",
    '"; DROP TABLE account; --',
    "%",
    "*",
    ")",
    "\\",
    "alice@example.org\n",
    "ä" * 1_000,
    "a@b@c",
    "\U0001f600",
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_hostile_user_name_is_just_a_wrong_one(victim: Server, name: str) -> None:
    with submitting(victim) as client:
        assert client.ask(b"AUTH PLAIN " + b64(f"\0{name}\0x") + b"\r\n").startswith(b"535 5.7.8 ")


def smtp_logins(server: Server, client: Client, alice: str, password: str) -> None:
    plain = b64(f"\0{alice}\0{password}")
    for data in (
        b"AUTH PLAIN " + plain,
        b"AUTH  PLAIN  " + plain + b" x",
        b"AUTH\tPLAIN\t" + plain + b"x",
        b"AUTH NTLM " + plain,
        b"AUTH NTLM\r\n" + plain + b"\r\n" + b64(password),
        b"AUTH LOGIN\r\n" + b64(alice) + b"\r\n" + b64(password),
        b"AUTH LOGIN " + b64(alice) + b"\r\n" + b64(password),
        b"AUTH PLAIN\r\n" + plain,
        b"AUTHPLAIN " + plain,
        b"PASS " + password.encode(),
        b"a LOGIN " + alice.encode() + b" " + password.encode(),
    ):
        client.send(data + b"\r\n")
    client.send(b"QUIT\r\n")
    client.rest()


def test_no_password_is_in_the_wire_log(tmp_path: Path) -> None:
    with serving(tmp_path / "data", "login.failure_delay=0s", wire=True) as server:
        alice, password = server.addresses[0], server.password
        plain = b64(f"\0{alice}\0{password}")
        for listener in ("smtp", "submission"):
            with hello(server, listener) as client:
                smtp_logins(server, client, alice, password)
        with submitting(server) as client:
            smtp_logins(server, client, alice, password)
        for tls in (False, True):
            with greeted(server, "pop3") as client:
                if tls:
                    client.ask(b"STLS\r\n")
                    client.start_tls(server)
                client.send(b"PASS " + password.encode() + b"\r\nUSER " + alice.encode() + b"\r\n")
                client.send(
                    b"AUTH PLAIN " + plain + b"\r\nAUTH NTLM\r\n" + plain + b"\r\nAUTH PLAIN\r\n" + plain + b"\r\n"
                )
                client.send(b"USER " + alice.encode() + b"\r\npass " + password.encode() + b"\r\nQUIT\r\n")
                client.rest()
            with greeted(server, "imap") as client:
                if tls:
                    client.ask(b"a STARTTLS\r\n")
                    client.start_tls(server)
                client.send(b"b AUTHENTICATE NTLM\r\nc AUTHENTICATE PLAIN " + plain + b" x\r\n")
                client.send(b"d LOGIN " + alice.encode() + b" " + password.encode() + b" x\r\n")
                client.send(b"e LOGIN " + alice.encode() + b" " + password.encode() + b"\r\nf LOGOUT\r\n")
                client.rest()
        log = server.log()
        assert "AUTH PLAIN ***" in log
        assert "235 2.7.0" in log
        for secret in (password.encode(), plain, b64(password), b64(f"{alice}\0{alice}\0{password}")):
            assert secret.decode() not in log
