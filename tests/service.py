"""A whole server in a process of its own, on loopback, as `scripts/run` starts it.

`server` is a fixture for tests that need one server; `serving` is for those that choose its settings, or start it again on
the same folder. Whoever uses the fixture imports it in the folder's conftest: `from tests.service import server`.
"""

import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mailhost.config.settings import LISTENERS

TOP = Path(__file__).parents[1]
END_SECONDS = 30
"""How long a server may take to end, and a client to be answered."""


@dataclass(frozen=True)
class Server:
    """One that serves; `facts` is the line of JSON that it printed."""

    process: subprocess.Popen[str]
    facts: Mapping[str, Any]
    data: Path
    stderr: Path

    @property
    def ports(self) -> Mapping[str, int]:
        ports: Mapping[str, int] = self.facts["ports"]
        return ports

    @property
    def addresses(self) -> list[str]:
        return [account["address"] for account in self.facts["accounts"]]

    @property
    def password(self) -> str:
        """The sample accounts share it."""
        return str(self.facts["accounts"][0]["password"])

    @property
    def ca(self) -> str:
        return str(self.facts["ca"])

    def tls(self) -> ssl.SSLContext:
        """What a client needs that trusts this server and no other."""
        return ssl.create_default_context(cafile=self.ca)

    def connect(self, listener: str) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.ports[listener]), timeout=END_SECONDS)

    def log(self) -> str:
        """What it has said on standard error so far."""
        return self.stderr.read_text(encoding="utf-8", errors="replace")

    def blobs(self) -> list[Path]:
        """The files of large messages."""
        return sorted(path for path in (self.data / "blobs").rglob("*") if path.is_file())

    def resident_octets(self) -> int:
        """Its memory, as the kernel counts it."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGESIZE")

    def end(self) -> int:
        """As an administrator ends it; answers with its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(END_SECONDS)

    def kill(self) -> None:
        """As a power cut ends it."""
        self.process.kill()
        self.process.wait(END_SECONDS)


@contextmanager
def serving(
    data: Path,
    *settings: str,
    wire: bool = False,
    environment: dict[str, str] | None = None,
    base: int | None = None,
    program: Sequence[str] = ("-m", "mailhost"),
) -> Iterator[Server]:
    """A server on `data`, with settings such as "login.tries=2". It ends at the latest with the block.

    `program` is what Python is to run, where it is more than the server itself.

    One that was neither ended nor killed by the test must end well: exit code 0, and nothing in its log that was a mistake.
    """
    stderr = data.with_name(data.name + ".log")
    command = [sys.executable, *program, "quickstart", "--data", str(data), "--json"]
    command += ["--ports", str(base or free_base()), *(word for each in settings for word in ("--set", each))]
    variables = os.environ | {"PYTHONUNBUFFERED": "1"} | (environment or {})
    with (
        stderr.open("a") as log,
        subprocess.Popen(
            command + ["--wire"] * wire, cwd=TOP, env=variables, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            yield _ready(process, data, stderr)
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                assert process.wait(END_SECONDS) == 0, tail(stderr)
            assert not mistakes(stderr), tail(stderr)
        finally:
            process.kill()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server with no settings but its ports."""
    with serving(tmp_path / "data") as one:
        yield one


def mistakes(stderr: Path) -> list[str]:
    """The lines of a log that tell of a fault of the server, or of an exception that nobody caught."""
    wanted = ("traceback", "unhandled", "never retrieved", "[error")
    return [
        line for line in stderr.read_text(errors="replace").splitlines() if any(each in line.lower() for each in wanted)
    ]


def tail(stderr: Path) -> str:
    return stderr.read_text(errors="replace")[-8_000:]


def free_base() -> int:
    """As many ports in a row as there are listeners, none of them held."""
    while True:
        base = random.randrange(20_000, 32_000)
        try:
            with ExitStack() as stack:
                for port in range(base, base + len(LISTENERS)):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
        return base


def _ready(process: subprocess.Popen[str], data: Path, stderr: Path) -> Server:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"the server did not start: {tail(stderr)}"
    return Server(process, json.loads(line), data, stderr)
