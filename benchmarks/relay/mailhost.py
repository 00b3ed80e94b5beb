"""What a case wants of either server: submit to it, hold back and let go, and see what it has used."""

import asyncio
import base64
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from benchmarks.receive import cpu_seconds, read_reply
from mailhost.queue.values import State
from tests.service import TOP, Server, serving

MANY = 999_999
SQLITE = "sqlite"
MESSAGES, FEWER = 2_000, 500
"""Of one run; on PostgreSQL the second."""
FILLS_A_SECOND, ON_POSTGRESQL = 500.0, 100.0
"""How fast a queue is filled, supposedly."""
SLOWER = 3
MARGIN = 2.0


class Relayer(Protocol):
    label: str
    sender: str
    messages: int
    """How many make a run."""

    def connect(self) -> socket.socket:
        """Ready for MAIL."""

    def connect_held(self) -> socket.socket:
        """The same, for what is to be held back."""

    def hold(self, messages: int) -> str:
        """So many are to come, to be held back; answers with their parameters of MAIL."""

    def let_go(self) -> float | None:
        """What was held back; answers with when, on the clock of `time.perf_counter`. None: it went before all was there."""

    def cpu(self) -> float:
        """Seconds that all of it has used so far."""

    def delivered(self) -> int:
        """Recipients that a host has taken over, by its own words."""

    def waiting(self) -> int:
        """Recipients, or messages, that are still to go."""

    def forget(self) -> None:
        """What waits goes nowhere."""


class Mailhost:
    """Held back by FUTURERELEASE until a moment when all is there."""

    label = "mailhost"

    def __init__(self, server: Server, url: str) -> None:
        self.server, self.url = server, url
        self.sender = server.addresses[0]
        self.messages = MESSAGES if url == SQLITE else FEWER
        self._until, self._fills_a_second = 0.0, FILLS_A_SECOND if url == SQLITE else ON_POSTGRESQL

    def connect(self) -> socket.socket:
        wire = self.server.connect("submission")
        read_reply(wire)
        wire.sendall(b"EHLO bench.example\r\n")
        read_reply(wire)
        words = base64.b64encode(f"\0{self.sender}\0{self.server.password}".encode())
        wire.sendall(b"AUTH PLAIN " + words + b"\r\n")
        assert read_reply(wire).startswith(b"235 ")
        return wire

    connect_held = connect

    def hold(self, messages: int) -> str:
        self._until = time.time() + messages / self._fills_a_second + MARGIN
        return f" HOLDUNTIL={datetime.fromtimestamp(self._until, UTC).isoformat()}"

    def let_go(self) -> float | None:
        left = self._until - time.time()
        if left <= 0:
            self._fills_a_second /= SLOWER
            return None
        at = time.perf_counter() + left
        time.sleep(left)
        return at

    def cpu(self) -> float:
        return cpu_seconds(self.server)

    def delivered(self) -> int:
        return self._rows(State.RELAYED)

    def waiting(self) -> int:
        return self._rows(State.WAITING)

    def forget(self) -> None:
        if self.waiting():
            self.command("queue", "cancel", "--all")

    def command(self, *words: str) -> str:
        config = ["--config", str(self.server.data / "mailhost.toml")]
        return subprocess.run(
            [sys.executable, "-m", "mailhost", *words, *config], cwd=TOP, capture_output=True, text=True, check=True
        ).stdout

    def _rows(self, state: State) -> int:
        counted = "SELECT count(*) FROM delivery WHERE state = "
        if self.url != SQLITE:
            return asyncio.run(_ask_postgresql(self.url, counted + str(int(state))))
        with closing(sqlite3.connect(f"file:{self.server.data / 'mailhost.db'}?mode=ro", uri=True)) as file:
            number: int = file.execute(counted + str(int(state))).fetchone()[0]
            return number


async def _ask_postgresql(url: str, question: str) -> int:
    import asyncpg

    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        return int(await connection.fetchval(question))
    finally:
        await connection.close()


@contextmanager
def mailhost(
    folder: Path, port: int, dns: int, url: str = SQLITE, *more: str, program: Sequence[str] = ("-m", "mailhost")
) -> Iterator[Mailhost]:
    """As it comes, but for the lab that it is in: a DNS of its own, hosts on loopback, submission in clear."""
    settings = (
        f"database.url={url}",
        "relay.enabled=true",
        "relay.allow_private_targets=true",
        f"relay.port={port}",
        f'dns.servers=["127.0.0.1:{dns}"]',
        "login.allow_plaintext=true",
        f"submission.most_recipients={MANY}",
        f"submission.most_transactions={MANY}",
        *more,
    )
    with serving(folder, *settings, program=program) as server:
        yield Mailhost(server, url)
