"""A client that says what it likes, octet for octet, and others who want to be served meanwhile."""

import base64
import contextlib
import re
import socket
import struct
import time
from collections.abc import Callable, Iterator

from tests.service import END_SECONDS, Server

_BLOCKED = re.compile(r"loop\.blocked.*?cpu_ms=(\d+).*?late_ms=(\d+)")


class Client:
    """One connection. Its end, gentle or not, reads as no more octets."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._heard = b""

    def send(self, data: bytes) -> None:
        """What the server does not want any more is lost."""
        with contextlib.suppress(ConnectionError):
            self.sock.sendall(data)

    def line(self) -> bytes:
        while b"\n" not in self._heard:
            data = self._receive()
            if not data:
                line, self._heard = self._heard, b""
                return line
            self._heard += data
        line, _, self._heard = self._heard.partition(b"\n")
        return line + b"\n"

    def reply(self) -> bytes:
        """The last line of an SMTP reply."""
        while True:
            line = self.line()
            if line[3:4] != b"-":
                return line

    def ask(self, data: bytes) -> bytes:
        self.send(data)
        return self.reply()

    def tagged(self, data: bytes) -> bytes:
        """An IMAP command, and the line that answers it; nothing where the server has ended the conversation."""
        return self.whole(data).rpartition(b"\n")[2]

    def whole(self, data: bytes) -> bytes:
        """All that an IMAP command is answered with, without the last end of line."""
        self.send(data)
        tag, said = data.split(b" ", 1)[0] + b" ", []
        while line := self.line():
            said.append(line)
            if line.startswith((tag, b"+ ")):
                return b"".join(said).rstrip(b"\r\n")
        return b""

    def listing(self, data: bytes) -> bytes:
        """A POP3 command with a response of several lines, which it answers with."""
        first, lines = self.ask(data), []
        assert first.startswith(b"+OK"), first
        while (line := self.line()) != b".\r\n":
            assert line.endswith(b"\r\n"), line
            lines.append(line)
        return b"".join(lines)

    def rest(self) -> bytes:
        """All that still comes, until the server closes."""
        while data := self._receive():
            self._heard += data
        return self._heard

    def reset(self) -> None:
        """Gone without a goodbye."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def start_tls(self, server: Server) -> None:
        self.sock = server.tls().wrap_socket(self.sock, server_hostname="localhost")

    def _receive(self) -> bytes:
        try:
            return self.sock.recv(1 << 16)
        except ConnectionError:
            return b""


@contextlib.contextmanager
def greeted(server: Server, listener: str) -> Iterator[Client]:
    """Somebody who has heard the greeting."""
    client = Client(server.connect(listener))
    try:
        assert client.reply().startswith((b"220 ", b"+OK ", b"* OK "))
        yield client
    finally:
        client.sock.close()  # another one than at first, if TLS has begun


@contextlib.contextmanager
def hello(server: Server, listener: str = "smtp") -> Iterator[Client]:
    with greeted(server, listener) as client:
        assert client.ask(b"EHLO client.example.net\r\n").startswith(b"250 ")
        yield client


@contextlib.contextmanager
def submitting(server: Server) -> Iterator[Client]:
    """On the submission port, inside TLS, not logged in."""
    with hello(server, "submission") as client:
        assert client.ask(b"STARTTLS\r\n").startswith(b"220 ")
        client.start_tls(server)
        assert client.ask(b"EHLO client.example.net\r\n").startswith(b"250 ")
        yield client


@contextlib.contextmanager
def submitted(server: Server) -> Iterator[Client]:
    """Alice, logged in on the submission port."""
    with submitting(server) as client:
        assert client.ask(b"AUTH PLAIN " + plain(server)).startswith(b"235 ")
        yield client


@contextlib.contextmanager
def imap(server: Server, *, selected: str = "", login: bool = True) -> Iterator[Client]:
    """An IMAP client inside TLS, as a rule Alice."""
    with greeted(server, "imap") as client:
        assert client.ask(b"t STARTTLS\r\n").startswith(b"t OK")
        client.start_tls(server)
        if login:
            line = f'l LOGIN {server.addresses[0]} "{server.password}"\r\n'
            assert client.tagged(line.encode()).startswith(b"l OK")
        if selected:
            assert client.tagged(f"s SELECT {selected}\r\n".encode()).startswith(b"s OK")
        yield client


@contextlib.contextmanager
def pop3(server: Server, *, address: str = "", login: bool = True) -> Iterator[Client]:
    """A POP3 client inside TLS, as a rule Alice."""
    with greeted(server, "pop3") as client:
        assert client.ask(b"STLS\r\n").startswith(b"+OK")
        client.start_tls(server)
        if login:
            assert client.ask(f"USER {address or server.addresses[0]}\r\n".encode()).startswith(b"+OK")
            assert client.ask(f"PASS {server.password}\r\n".encode()).startswith(b"+OK")
        yield client


def b64(text: str | bytes) -> bytes:
    return base64.b64encode(text if isinstance(text, bytes) else text.encode())


def plain(server: Server) -> bytes:
    """Alice's response to PLAIN, with the end of its line."""
    return b64(f"\0{server.addresses[0]}\0{server.password}") + b"\r\n"


def deliver(server: Server, content: bytes, *recipients: str) -> bytes:
    """From another host; answers with the reply to the message."""
    with hello(server) as client:
        begin(client, *recipients)
        return client.ask(content + b"\r\n.\r\n")


def begin(client: Client, *recipients: str) -> None:
    """A transaction up to 354."""
    assert client.ask(b"MAIL FROM:<eve@example.net>\r\n").startswith(b"250 ")
    for recipient in recipients or ("bob@example.org",):
        assert client.ask(f"RCPT TO:<{recipient}>\r\n".encode()).startswith(b"250 ")
    assert client.ask(b"DATA\r\n").startswith(b"354 ")


def append(client: Client, mailbox: bytes, content: bytes) -> None:
    """A message, octet for octet, by IMAP."""
    assert client.tagged(b"p APPEND %b {%d}\r\n" % (mailbox, len(content))).startswith(b"+ ")
    client.send(content + b"\r\n")
    while not (line := client.line()).startswith(b"p "):
        assert line.startswith(b"* "), line
    assert line.startswith(b"p OK "), line


def serves_others(server: Server) -> None:
    """Somebody else is greeted and answered, in each protocol."""
    for listener, asked, wanted in (
        ("smtp", b"NOOP\r\n", b"250 "),
        ("submission", b"NOOP\r\n", b"250 "),
        ("pop3", b"CAPA\r\n", b"+OK"),
        ("imap", b"a NOOP\r\n", b"a OK"),
    ):
        with greeted(server, listener) as client:
            assert client.ask(asked).startswith(wanted)


def messages_of(server: Server, address: str) -> int:
    """What STAT says. The conversation has ended when this returns, and is among those that `closed` counts."""
    with pop3(server, address=address) as client:
        number = int(client.ask(b"STAT\r\n").split()[1])
        client.ask(b"QUIT\r\n")
        assert not client.line()
    return number


def secrets_in(log: str, server: Server) -> list[bytes]:
    """Forms of the sample password that stand in a log: plain, in base64, and as SASL mechanisms send it."""
    alice, password = server.addresses[0], server.password
    forms = [password, f"\0{alice}\0{password}", f"{alice}\0{alice}\0{password}", f"{alice}\0{password}"]
    return [form for form in (password.encode(), *map(b64, forms)) if form.decode() in log]


def closed(server: Server) -> int:
    """Conversations that have ended."""
    return server.log().count("conn.close")


def eventually(holds: Callable[[], bool]) -> None:
    """Another process gives no event to wait for: look until it holds."""
    deadline = time.monotonic() + END_SECONDS
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def blocks(server: Server) -> list[int]:
    """Milliseconds for which the loop was blocked by work of the server itself."""
    return [min(int(cpu), int(late)) for cpu, late in _BLOCKED.findall(server.log())]
