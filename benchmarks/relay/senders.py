"""The client of both: ten connections that submit at full speed, or one that waits for each answer."""

import selectors
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks.accepts import LINE, OCTETS
from benchmarks.receive import read_reply

CONNECTIONS = 10
TOGETHER = 500
"""RCPT commands in one packet: more might wait for each other's replies."""


@dataclass(frozen=True)
class Letter:
    """One message to submit."""

    sender: str
    recipients: Sequence[str]
    parameters: str = ""
    """Of MAIL, with a space before each."""

    @property
    def mail(self) -> bytes:
        return f"MAIL FROM:<{self.sender}>{self.parameters}\r\n".encode()

    def content(self, number: int) -> bytes:
        """Of 4 KiB, with its end."""
        head = (
            f"From: <{self.sender}>\r\nTo: <{self.recipients[0]}>\r\nSubject: message {number}\r\n"
            f"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <{number}.{time.time_ns()}@example.net>\r\n\r\n"
        ).encode()
        return (head + LINE * (OCTETS // len(LINE) + 1))[: OCTETS - 2] + b"\r\n.\r\n"


def to_each(recipients: Sequence[str]) -> bytes:
    return b"".join(f"RCPT TO:<{each}>\r\n".encode() for each in recipients)


@dataclass
class Client:
    """One connection of many: MAIL, RCPT and DATA in one packet, then the message."""

    wire: socket.socket
    content: bytes = b""
    wanted: int = 0
    """Replies that are to come before the message."""
    received: bytes = field(default=b"", repr=False)

    def begin(self, letter: Letter, number: int) -> None:
        self.content, self.wanted = letter.content(number), len(letter.recipients) + 2
        self.wire.sendall(letter.mail + to_each(letter.recipients) + b"DATA\r\n")

    def arrived(self, data: bytes) -> bool:
        """Take replies; True when the message was accepted."""
        assert data, "the server hung up"
        self.received += data
        if self.received.count(b"\n") < max(self.wanted, 1):
            return False
        replies, self.received = self.received.splitlines(), b""
        good = (b"250 ", b"354 ") if self.wanted else (b"250 ",)
        assert all(each.startswith(good) for each in replies), replies
        if not self.wanted:
            return True
        self.wanted = 0
        self.wire.sendall(self.content)
        return False


def submit(connect: Callable[[], socket.socket], letters: Sequence[Letter]) -> None:
    """All of them, by ten connections, until each has its 250."""
    clients = [Client(connect()) for _ in range(min(CONNECTIONS, len(letters)))]
    waiting = iter(enumerate(letters))
    with selectors.DefaultSelector() as selector:
        under_way = sum(_next(client, waiting) for client in clients)
        for client in clients:
            selector.register(client.wire, selectors.EVENT_READ, client)
        while under_way:
            for key, _ in selector.select():
                client = key.data
                if client.arrived(client.wire.recv(65536)) and not _next(client, waiting):
                    under_way -= 1
    for client in clients:
        quit_(client.wire)


def _next(client: Client, waiting: Iterator[tuple[int, Letter]]) -> bool:
    for number, letter in waiting:
        client.begin(letter, number)
        return True
    return False


def submit_one(wire: socket.socket, letter: Letter, number: int) -> float:
    """However many recipients it has; answers with when the 250 was there."""
    _ask(wire, letter.mail, 1)
    for first in range(0, len(letter.recipients), TOGETHER):
        some = letter.recipients[first : first + TOGETHER]
        _ask(wire, to_each(some), len(some))
    _ask(wire, b"DATA\r\n", 1)
    _ask(wire, letter.content(number), 1)
    return time.perf_counter()


def _ask(wire: socket.socket, words: bytes, replies: int) -> None:
    wire.sendall(words)
    received = b""
    while received.count(b"\n") < replies:
        data = wire.recv(65536)
        assert data, "the server hung up"
        received += data
    assert all(each.startswith((b"250 ", b"354 ")) for each in received.splitlines()), received


def quit_(wire: socket.socket) -> None:
    with wire:
        wire.sendall(b"QUIT\r\n")
        read_reply(wire)
