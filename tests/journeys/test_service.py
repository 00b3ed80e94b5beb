"""As systemd runs it: no terminal, a user of its own, nothing on standard input; set up, served, reloaded, ended, started again.

Where the tests run as root, root binds ports below 1024 and becomes "nobody"; else all is done by whoever runs the tests.
"""

import imaplib
import os
import pwd
import random
import re
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mailhost.cli.authority import Folder, ensure
from mailhost.config.settings import LISTENERS
from tests.service import END_SECONDS, TOP

pytestmark = pytest.mark.service
IS_ROOT = os.geteuid() == 0
OWNER = pwd.getpwnam("nobody").pw_uid if IS_ROOT else os.geteuid()
ADDRESS, PASSWORD = "you@example.org", "correct horse"
LINE = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z \[(info|warning) *\] [a-z_.]+( .*)?")


@dataclass(frozen=True)
class Machine:
    """Folders that other users may walk through, an interpreter that they may read, and systemd's end of the talk."""

    folder: Path
    python: str
    base: int
    systemd: socket.socket

    @property
    def config(self) -> Path:
        return self.folder / "mailhost.toml"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def port(self, listener: str) -> int:
        return self.base + LISTENERS.index(listener)

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.data / "tls" / "ca.crt"))

    def certificate(self) -> bytes:
        """What a client is shown."""
        with (
            socket.create_connection(("127.0.0.1", self.port("imaps")), END_SECONDS) as plain,
            self.trust().wrap_socket(plain, server_hostname="localhost") as client,
        ):
            shown = client.getpeercert(binary_form=True)
        assert shown
        return shown

    def mailhost(self, *words: str, **kept: object) -> "subprocess.Popen[str]":
        environment = {
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join([str(TOP), sysconfig.get_path("purelib"), os.environ.get("PYTHONPATH", "")]),
            "NOTIFY_SOCKET": str(self.folder / "notify"),
        }
        process: subprocess.Popen[str] = subprocess.Popen(
            [self.python, "-m", "mailhost", *words, "--config", str(self.config)],
            env=environment,
            cwd="/",
            start_new_session=True,
            text=True,
            **({"stdin": subprocess.DEVNULL} | kept),  # type: ignore[call-overload]  # what it is told to keep
        )
        return process

    def run(self, *words: str, given: str = "") -> str:
        with self.mailhost(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            said, _ = process.communicate(given, 4 * END_SECONDS)
        assert process.returncode == 0
        return str(said)

    def hear(self) -> str:
        return self.systemd.recv(4096).decode()

    @contextmanager
    def serving(self, log: Path) -> Iterator["subprocess.Popen[str]"]:
        with log.open("w") as stderr, self.mailhost("run", stdout=subprocess.PIPE, stderr=stderr) as process:
            try:
                assert self.hear() == "READY=1", log.read_text()
                yield process
                process.send_signal(signal.SIGTERM)
                assert self.hear() == "STOPPING=1"
                assert process.wait(END_SECONDS) == 0
                assert process.stdout is not None
                assert process.stdout.read() == ""
            finally:
                process.kill()


@pytest.fixture
def machine() -> Iterator[Machine]:
    with tempfile.TemporaryDirectory() as name, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        folder = Path(name)
        folder.chmod(0o755)
        systemd.bind(str(folder / "notify"))
        (folder / "notify").chmod(0o777)
        systemd.settimeout(END_SECONDS)
        yield Machine(folder, interpreter(), free_base(), systemd)


def interpreter() -> str:
    """One of this version that the server's user may read; a root's own in his home folder is not."""
    for python in (sys.executable, "/usr/bin/python3"):
        look = [python, "-c", "import sys; print(sys.version_info[:2])"]
        as_owner = {"user": OWNER, "group": OWNER, "extra_groups": []} if IS_ROOT else {}
        try:
            said = subprocess.run(look, capture_output=True, text=True, check=False, cwd="/", env={}, **as_owner)  # type: ignore[call-overload]  # a table of arguments
        except OSError:
            continue
        if said.stdout.strip() == str(sys.version_info[:2]):
            return python
    pytest.fail("no Python that another user may read")


def free_base() -> int:
    """As many ports in a row as there are listeners; root's own, where root runs the tests."""
    while True:
        base = random.randrange(*(600, 1000) if IS_ROOT else (20_000, 32_000))
        try:
            with ExitStack() as stack:
                for port in range(base, base + len(LISTENERS)):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
        return base


def who(pid: int) -> list[str]:
    """Real, effective, saved and file-system user."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(line.split()[1:] for line in status.splitlines() if line.startswith("Uid:"))


def write_to(machine: Machine, recipient: str) -> None:
    with smtplib.SMTP("127.0.0.1", machine.port("smtp"), timeout=END_SECONDS) as client:
        client.sendmail("a@b.example", [recipient], b"Subject: hello\r\n\r\nhello\r\n")


def count(machine: Machine) -> int:
    """Messages in the administrator's INBOX."""
    with imaplib.IMAP4_SSL(
        "localhost", machine.port("imaps"), ssl_context=machine.trust(), timeout=END_SECONDS
    ) as client:
        client.login(ADDRESS, PASSWORD)
        return int(client.select("INBOX")[1][0] or 0)


def test_from_nothing_to_a_service_that_is_reloaded_and_started_again(machine: Machine, tmp_path: Path) -> None:
    ports = [word for name in LISTENERS for word in ("--set", f"{name}.port={machine.port(name)}")]
    user = ["--user", "nobody"] if IS_ROOT else []
    words = ["setup", ADDRESS, "--data", str(machine.data), "--password-stdin", *user, *ports]
    assert "mailhost is set up for example.org." in machine.run(*words, given=PASSWORD + "\n")
    assert "no problem found" in machine.run("config", "check")

    with machine.serving(tmp_path / "first.log") as process:
        assert who(process.pid) == [str(OWNER)] * 4
        write_to(machine, "postmaster@example.org")
        assert count(machine) == 1
        assert "no problem found" in machine.run("config", "check")  # its own ports are no trouble
        assert ADDRESS in machine.run("user", "list")
        first = machine.certificate()
        tls = Folder(machine.data / "tls")
        tls.certificate.unlink()
        ensure(tls, ["localhost"])
        process.send_signal(signal.SIGHUP)
        assert machine.hear().startswith("RELOADING=1\nMONOTONIC_USEC=")
        assert machine.hear() == "READY=1"
        assert machine.certificate() != first

    with machine.serving(tmp_path / "second.log"):
        write_to(machine, ADDRESS)
        assert count(machine) == 2

    for name in ("first", "second"):
        said = (tmp_path / f"{name}.log").read_text()
        assert all(LINE.fullmatch(line) for line in said.splitlines()), said
        assert said.splitlines()[-1].endswith("server.ended")
    assert {path.stat().st_uid for path in [machine.data, *machine.data.rglob("*")]} == {OWNER}
    assert machine.config.stat().st_uid == os.geteuid()  # root's, where root has set it up: the server reads it only
    assert not machine.config.stat().st_mode & 0o037
