"""SMTP receive over sockets: `python -m benchmarks.receive`.

A whole server in a process of its own. 1, 10 and 50 connections send messages of 4 KiB to accounts here, each with MAIL, RCPT and
DATA in one packet, the next message once the last one's 250 is there (durable, in the mailbox). Latency is from MAIL to 250. The
server's CPU is that of all its threads; the client shares the machine with it.
"""

import argparse
import os
import selectors
import socket
import time
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.accepts import message
from benchmarks.engines import add_engine, engine
from benchmarks.report import heading, say, scratch
from tests.service import Server, serving

CONNECTIONS = (1, 10, 50)
LEAST_RATIO = 3.0
"""50 connections against 1."""
GROUPED = (b"250 ", b"250 ", b"354 ")
"""The replies to MAIL, RCPT and DATA."""


@dataclass
class Client:
    """One connection; what it waits for is a number of whole lines."""

    wire: socket.socket
    sender: bytes
    recipient: bytes
    content: bytes
    times: list[float]
    begun: float = 0.0
    received: bytes = b""
    sent_data: bool = False

    def begin(self) -> None:
        self.begun, self.sent_data = time.perf_counter(), False
        self.wire.sendall(b"MAIL FROM:<%b>\r\nRCPT TO:<%b>\r\nDATA\r\n" % (self.sender, self.recipient))

    def arrived(self, data: bytes) -> bool:
        """Take replies; True when the message was accepted."""
        self.received += data
        lines = self.received.count(b"\n")
        if not self.sent_data and lines == len(GROUPED):
            replies = self.received.splitlines()
            assert all(map(bytes.startswith, replies, GROUPED)), self.received
            self.received, self.sent_data = b"", True
            self.wire.sendall(self.content)
        elif self.sent_data and lines:
            assert self.received.startswith(b"250 "), self.received
            self.received = b""
            self.times.append(time.perf_counter() - self.begun)
            return True
        assert data, "the server hung up"
        return False


@dataclass
class Figures:
    seconds: float
    times: list[float] = field(default_factory=list)
    cpu: float = 0.0

    @property
    def rate(self) -> float:
        return len(self.times) / self.seconds

    def row(self, connections: int) -> str:
        ordered = sorted(self.times)
        p50, p99 = (ordered[int(len(ordered) * part)] * 1000 for part in (0.5, 0.99))
        each = self.cpu / len(ordered) * 1e6
        return f"{connections:>11} {self.rate:>11.0f} {p50:>8.1f} {p99:>8.1f} {each:>13.0f}"


def measure(server: Server, connections: int, seconds: float) -> Figures:
    times: list[float] = []
    clients = [connect(server, number, times) for number in range(connections)]
    cpu, started = cpu_seconds(server), time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for client in clients:
            selector.register(client.wire, selectors.EVENT_READ, client)
            client.begin()
        under_way = connections
        while under_way:
            for key, _ in selector.select():
                if key.data.arrived(key.data.wire.recv(65536)):
                    if time.perf_counter() - started < seconds:
                        key.data.begin()
                    else:
                        under_way -= 1
    figures = Figures(time.perf_counter() - started, times, cpu_seconds(server) - cpu)
    for client in clients:
        client.wire.close()
    return figures


def connect(server: Server, number: int, times: list[float]) -> Client:
    wire = server.connect("smtp")
    read_reply(wire)
    wire.sendall(b"EHLO bench.example\r\n")
    read_reply(wire)
    recipient = server.addresses[number % len(server.addresses)].encode()
    return Client(wire, b"sender@example.net", recipient, message(number) + b".\r\n", times)


def read_reply(wire: socket.socket) -> bytes:
    """All lines of one reply."""
    received = b""
    while not (received.endswith(b"\n") and received.splitlines()[-1][3:4] != b"-"):
        data = wire.recv(65536)
        assert data, "the server hung up"
        received += data
    return received


def cpu_seconds(server: Server) -> float:
    """Of the server's process, user and system."""
    numbers = Path(f"/proc/{server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_engine(parser)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each row")
    arguments = parser.parse_args()
    heading("benchmarks.receive")
    with scratch() as folder, engine(arguments) as url, serving(folder / "data", *settings(url)) as server:
        measure(server, 5, 1.0)  # it warms up
        say(f"{'connections':>11} {'messages/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'server CPU us':>13}")
        rates = {}
        for connections in CONNECTIONS:
            figures = measure(server, connections, arguments.seconds)
            rates[connections] = figures.rate
            say(figures.row(connections))
        ratio = rates[CONNECTIONS[-1]] / rates[CONNECTIONS[0]]
        say(
            f"\n50 connections to 1: {ratio:.1f} ({'as it should' if ratio >= LEAST_RATIO else 'TOO LITTLE'}: at least 3)"
        )


def settings(url: str) -> list[str]:
    """A quiet log: one line a message is 5 % of its cost, and the disk's. No connection ends for the number of its messages."""
    return [f"database.url={url}", "log.level=warning", "smtp.most_transactions=999999"]


if __name__ == "__main__":
    main()
