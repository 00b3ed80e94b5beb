"""Settings of a client that cannot work: named in the log with their cure, and told to the client where it can hear."""

import socket
import ssl

import pytest

from tests.hostile.talk import Client, eventually
from tests.service import Server

pytestmark = pytest.mark.service

PLAINTEXT = {"smtp": "submissions", "submission": "submissions", "pop3": "pop3s", "imap": "imaps"}
IMPLICIT = {"submissions": "submission", "pop3s": "pop3", "imaps": "imap"}
REFUSED = {"submissions": b"421 4.7.0 ", "pop3s": b"-ERR ", "imaps": b"* BYE "}
GREETING = {"submissions": b"220 ", "pop3s": b"+OK ", "imaps": b"* OK "}
FIRST_WORDS = [
    b"EHLO client.example.net\r\n",
    b"a1 CAPABILITY\r\n",
    b"CAPA\r\n",
    b"\x80\x2e\x01\x00\x02",
    b"\0",
    b"\r\n",
]


class Hello:
    """A TLS client whose octets can be held in the hand."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def first(self) -> bytes:
        with pytest.raises(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()


def mistakes_told(server: Server, text: str) -> int:
    return sum("client.mistake" in line and text in line for line in server.log().splitlines())


@pytest.mark.parametrize("step", [1 << 16, 1], ids=["whole", "octet by octet"])
@pytest.mark.parametrize("listener", PLAINTEXT)
def test_tls_on_a_plaintext_port_is_named_and_nothing_of_it_is_a_command(
    victim: Server, listener: str, step: int
) -> None:
    cure = f"STARTTLS, or port {victim.ports[PLAINTEXT[listener]]} with SSL/TLS"
    told, refused = mistakes_told(victim, cure), victim.log().count("refused")
    hello = Hello(victim.tls()).first() + b"\r\nNOOP\r\na NOOP\r\n"
    client = Client(victim.connect(listener))
    with client.sock:
        for start in range(0, len(hello), step):
            client.send(hello[start : start + step])
        assert client.rest().count(b"\n") <= 1  # the greeting, which was on its way
    eventually(lambda: mistakes_told(victim, cure) > told)
    assert mistakes_told(victim, cure) == told + 1
    assert victim.log().count("refused") == refused


@pytest.mark.parametrize("first", FIRST_WORDS)
@pytest.mark.parametrize("listener", IMPLICIT)
def test_who_talks_plaintext_to_a_tls_port_hears_the_cure_in_its_own_protocol(
    victim: Server, listener: str, first: bytes
) -> None:
    port = victim.ports[IMPLICIT[listener]]
    cure = f"set SSL/TLS in the client, or port {port} with STARTTLS"
    told = mistakes_told(victim, cure)
    with victim.connect(listener) as sock:
        sock.sendall(first)
        said = Client(sock).rest()
    assert said.startswith(REFUSED[listener])
    assert cure.encode() in said
    assert said.count(b"\r\n") == 1
    assert mistakes_told(victim, cure) == told + 1


@pytest.mark.parametrize("listener", IMPLICIT)
def test_who_waits_for_a_greeting_in_clear_hears_the_cure_instead(victim: Server, listener: str) -> None:
    with victim.connect(listener) as sock:
        said = Client(sock).rest()
    assert said.startswith(REFUSED[listener])
    assert b"This port speaks TLS from the first octet" in said


@pytest.mark.parametrize("listener", IMPLICIT)
def test_a_client_hello_may_come_octet_by_octet(victim: Server, listener: str) -> None:
    hello = Hello(victim.tls())
    with victim.connect(listener) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for octet in hello.first():
            sock.sendall(bytes([octet]))
        greeting = b""
        while not greeting:
            hello.incoming.write(sock.recv(1 << 16))
            try:
                greeting = hello.tls.read(1 << 16)
            except ssl.SSLWantReadError:
                for octet in hello.outgoing.read():
                    sock.sendall(bytes([octet]))
    assert greeting.startswith(GREETING[listener])


@pytest.mark.parametrize("listener", IMPLICIT)
def test_who_goes_without_a_word_is_no_mistake(victim: Server, listener: str) -> None:
    told = mistakes_told(victim, "")
    with victim.connect(listener) as sock:
        sock.shutdown(socket.SHUT_WR)
        assert Client(sock).rest() == b""
    with victim.connect(listener) as sock:
        sock.sendall(b"\x16")
        sock.shutdown(socket.SHUT_WR)
        assert Client(sock).rest() == b""
    assert mistakes_told(victim, "") == told


def old_tls() -> ssl.SSLContext:
    """A client of ten years ago."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def distrusting() -> ssl.SSLContext:
    """A client without our CA."""
    return ssl.create_default_context()


BEGIN_TLS = {"submissions": b"", "pop3s": b"", "imaps": b"", "pop3": b"STLS\r\n", "imap": b"a STARTTLS\r\n"}


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("context", "cause"), [(old_tls, "old TLS: "), (distrusting, "certificate refused by the client: ")]
)
@pytest.mark.parametrize("listener", BEGIN_TLS)
def test_a_handshake_that_fails_is_named(victim: Server, listener: str, context: object, cause: str) -> None:
    assert callable(context)
    told = mistakes_told(victim, cause)
    with victim.connect(listener) as sock:
        if BEGIN_TLS[listener]:
            client = Client(sock)
            client.line()
            client.ask(BEGIN_TLS[listener])
        with pytest.raises(ssl.SSLError):
            context().wrap_socket(sock, server_hostname="localhost")
    eventually(lambda: mistakes_told(victim, cause) > told)
    assert mistakes_told(victim, cause) == told + 1


WITHOUT_TLS = {
    "imap": b"a LOGIN bob@example.org secret\r\n",
    "pop3": b"USER bob@example.org\r\n",
    "submission": b"EHLO client.example.net\r\nAUTH PLAIN\r\n",
}


@pytest.mark.parametrize("listener", WITHOUT_TLS)
def test_a_password_without_tls_is_named(victim: Server, listener: str) -> None:
    def named() -> int:
        return victim.log().count("cause='password without TLS: in the client choose SSL/TLS, or STARTTLS'")

    before = named()
    with Client(victim.connect(listener)).sock as sock:
        sock.sendall(WITHOUT_TLS[listener])
        eventually(lambda: named() > before)
