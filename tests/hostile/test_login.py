"""Logins that are broken, too long or given up; and that no password is ever in the log."""

from pathlib import Path

import pytest

from tests.hostile.talk import Client, b64, eventually, greeted, hello, imap, plain, pop3, secrets_in, submitting
from tests.service import Server, serving

pytestmark = pytest.mark.service


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


def test_sasl_that_is_broken_leaves_pop3_and_imap_as_they_were(victim: Server) -> None:
    """CVE-2025-59028, CVE-2017-15132: bad base64, "*", 64 KB, a NUL too few; then the right one."""
    broken = [
        b"*",
        b"!",
        b"====",
        b"AAAA=",
        b"\xff\xfe",
        b"A" * 5,
        b"A" * 65_536,
        b64("x"),
        b64("\0\0"),
        b64("\0\0\0\0"),
        b"",
    ]
    for response in broken:
        with pop3(victim, login=False) as client:
            assert client.ask(b"AUTH PLAIN\r\n").startswith(b"+ ")
            assert client.ask(response + b"\r\n").startswith(b"-ERR "), response[:20]
            if response not in (b"", b"*"):
                assert client.ask(b"AUTH PLAIN " + response + b"\r\n").startswith(b"-ERR ")
            assert client.ask(b"AUTH PLAIN " + plain(victim)).startswith(b"+OK")
        with imap(victim, login=False) as client:
            assert client.tagged(b"a AUTHENTICATE PLAIN\r\n").startswith(b"+ ")
            client.send(response + b"\r\n")
            assert client.line().startswith((b"a BAD ", b"a NO ")), response[:20]
            client.send(b"b AUTHENTICATE PLAIN " + response + b"\r\n")
            assert client.line().startswith((b"b BAD ", b"b NO ", b"* BAD ", b"+ ")), response[:20]
            if response == b"":
                client.send(b"*\r\n")
                assert client.line().startswith(b"b BAD ")
            assert client.tagged(b"c AUTHENTICATE PLAIN " + plain(victim)).startswith(b"c OK")


def test_a_half_open_login_is_nobody_elses(victim: Server) -> None:
    """Two exchanges at once, one given up: neither hears of the other's."""
    for half in (pop3, imap):
        with half(victim, login=False) as one, half(victim, login=False) as other:
            ask = b"AUTH PLAIN\r\n" if half is pop3 else b"a AUTHENTICATE PLAIN\r\n"
            for client in (one, other):
                client.send(ask)
                assert client.line().startswith(b"+ ")
            one.send(plain(victim))
            assert one.line().startswith((b"+OK", b"a OK"))
            other.send(b64("\0alice@example.org\0wrong") + b"\r\n")
            assert other.line().startswith((b"-ERR ", b"a NO "))
            other.reset()
            assert one.ask(b"NOOP\r\n" if half is pop3 else b"b NOOP\r\n").startswith((b"+OK", b"b OK"))


@pytest.mark.parametrize("password", ["x" * 1_025, "x" * 8_000, "a\0b", "\0", "", "\ufffd" * 300])
def test_a_password_that_nobody_can_have_is_a_wrong_one(victim: Server, password: str) -> None:
    """And what stands before its NUL, or its 72nd octet, counts for nothing."""
    for secret in (password, victim.password + password) if password else (password,):
        with submitting(victim) as client:
            client.ask(b"AUTH LOGIN " + b64(victim.addresses[0]) + b"\r\n")
            assert client.ask(b64(secret) + b"\r\n").startswith((b"535 5.7.8 ", b"500 5.5.6 ", b"501 "))
        with pop3(victim, login=False) as client:
            client.ask(f"USER {victim.addresses[0]}\r\n".encode())
            assert client.ask(f"PASS {secret}\r\n".encode()).startswith(b"-ERR ")
        with imap(victim, login=False) as client:
            octets = secret.encode()
            client.send(b"a LOGIN %b {%d+}\r\n%b\r\n" % (victim.addresses[0].encode(), len(octets), octets))
            assert client.line().startswith((b"a NO ", b"a BAD "))


def test_in_clear_a_login_is_refused_before_its_password_is_sent(victim: Server) -> None:
    """RFC 8314 section 3.2: no prompt for it, no leave for its literal; nor is it announced."""
    with hello(victim, "submission") as client:
        for line in (b"AUTH LOGIN", b"AUTH PLAIN", b"AUTH LOGIN YQ=="):
            assert client.ask(line + b"\r\n").startswith(b"538 5.7.11 ")
    with hello(victim, "smtp") as client:
        assert client.ask(b"AUTH LOGIN\r\n").startswith(b"502 5.5.1 ")
    with greeted(victim, "pop3") as client:
        assert client.ask(b"USER alice@example.org\r\n").startswith(b"-ERR ")
        assert client.ask(b"AUTH PLAIN\r\n").startswith(b"-ERR ")
        assert client.ask(b"AUTH LOGIN\r\n").startswith(b"-ERR ")
    with greeted(victim, "imap") as client:
        assert b"LOGINDISABLED" in client.whole(b"a CAPABILITY\r\n")
        for line in (
            b"LOGIN alice@example.org {6}",
            b"LOGIN {17}",
            b'LOGIN "a" "b"',
            b"AUTHENTICATE PLAIN",
            b"AUTHENTICATE LOGIN",
        ):
            assert client.tagged(b"b " + line + b"\r\n").startswith(b"b NO [PRIVACYREQUIRED] "), line


@pytest.mark.parametrize("mechanism", [b"NTLM", b"GSSAPI", b"NTLM TlRMTVNTUAABAAAA", b"GSS-SPNEGO"])
def test_an_ntlm_probe_is_refused_in_every_protocol_and_named_in_the_log(victim: Server, mechanism: bytes) -> None:
    line = f"{mechanism.split()[0].decode()}: the client uses SPA (secure password authentication): switch it off"
    told = victim.log().count(line)
    with submitting(victim) as client:
        assert client.ask(b"AUTH " + mechanism + b"\r\n").startswith(b"504 5.5.4 ")
        assert client.ask(b"AUTH PLAIN " + plain(victim)).startswith(b"235 ")
    with pop3(victim, login=False) as client:
        assert client.ask(b"AUTH " + mechanism + b"\r\n").startswith(b"-ERR ")
        assert client.ask(b"AUTH PLAIN " + plain(victim)).startswith(b"+OK")
    with imap(victim, login=False) as client:
        assert client.tagged(b"a AUTHENTICATE " + mechanism + b"\r\n").startswith(b"a NO [CANNOT] ")
        assert client.tagged(b"b AUTHENTICATE PLAIN " + plain(victim)).startswith(b"b OK")
    eventually(lambda: victim.log().count(line) == told + 3)


@pytest.mark.parametrize("mechanism", ["{}", "{} x", "X-{}", "{}=="])
def test_a_password_where_a_mechanism_belongs_is_in_no_log(victim: Server, mechanism: str) -> None:
    """The shared server's log is searched for it when all tests are over; here at once."""
    word = mechanism.format(victim.password).encode()
    with submitting(victim) as client:
        assert client.ask(b"AUTH " + word + b"\r\n")[:3] in (b"504", b"501")
    with pop3(victim, login=False) as client:
        assert client.ask(b"AUTH " + word + b"\r\n").startswith(b"-ERR ")
    with imap(victim, login=False) as client:
        assert client.tagged(b"a AUTHENTICATE " + word + b"\r\n").startswith((b"a NO ", b"a BAD "))
    assert not secrets_in(victim.log(), victim)


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
    octets = name.encode()
    with imap(victim, login=False) as client:
        client.send(b"a LOGIN {%d+}\r\n%b x\r\n" % (len(octets), octets))
        assert client.line().startswith(b"a NO [AUTHENTICATIONFAILED] ")
        assert client.tagged(b"b AUTHENTICATE PLAIN " + b64(f"\0{name}\0x") + b"\r\n").startswith(b"b NO ")
    with pop3(victim, login=False) as client:
        assert client.ask(b"AUTH PLAIN " + b64(f"\0{name}\0x") + b"\r\n").startswith(b"-ERR [AUTH] ")


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
        response = b64(f"\0{alice}\0{password}")
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
                client.send(password.encode() + b"\r\nUSER " + password.encode() + b"\r\n")
                client.send(b"AUTH " + password.encode() + b"\r\n")
                client.send(
                    b"AUTH PLAIN "
                    + response
                    + b"\r\nAUTH NTLM\r\n"
                    + response
                    + b"\r\nAUTH PLAIN\r\n"
                    + response
                    + b"\r\n"
                )
                client.send(b"USER " + alice.encode() + b"\r\npass " + password.encode() + b"\r\nQUIT\r\n")
                client.rest()
            with greeted(server, "imap") as client:
                if tls:
                    client.ask(b"a STARTTLS\r\n")
                    client.start_tls(server)
                client.send(b"b AUTHENTICATE NTLM\r\nc AUTHENTICATE PLAIN " + response + b" x\r\n")
                client.send(b"d LOGIN " + alice.encode() + b" " + password.encode() + b" x\r\n")
                client.send(b'd LOGIN "' + alice.encode() + b'" {%d+}\r\n%b x\r\n' % (len(password), password.encode()))
                client.send(b"d AUTHENTICATE PLAIN\r\n" + response + b"x\r\n")
                client.send(b"d AUTHENTICATE LOGIN\r\n" + b64(alice) + b"\r\n" + b64(password) + b"x\r\n")
                client.send(b"d XYZZY " + response + b"\r\n" + response + b"\r\n")
                client.send(password.encode() + b"\r\nd AUTHENTICATE " + password.encode() + b"\r\n")
                client.send(b"d LOGIN " + alice.encode() + b" {%d}\r\n%b\r\n" % (len(password), password.encode()))
                client.send(b"e LOGIN " + alice.encode() + b" " + password.encode() + b"\r\nf LOGOUT\r\n")
                client.rest()
        log = server.log()
        assert "AUTH PLAIN ***" in log
        assert "235 2.7.0" in log
        assert not secrets_in(log, server)
