"""A private PostgreSQL cluster in a temporary folder, on a Unix socket and a loopback port of its own."""

import itertools
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ACCOUNT = "postgres"
"""PostgreSQL refuses to run as root; tests that run as root use the account of Debian's package."""
SETTINGS: Mapping[str, object] = {
    "full_page_writes": "off",  # speed; synchronous_commit and fsync stay on, or mailhost refuses the server
    "max_connections": 200,
    "autovacuum": "off",
    "timezone": "UTC",
}


class Absent(Exception):
    """This machine cannot run PostgreSQL; the text says what is missing."""


@dataclass
class Cluster:
    """A running server. Its databases are made from a template, which costs some milliseconds each."""

    programs: Path
    folder: Path
    port: int
    password: str
    _numbers: Any = field(default_factory=itertools.count)
    _templates: dict[str, str] = field(default_factory=dict)

    @classmethod
    def start(cls) -> "Cluster":
        """Raises `Absent`."""
        programs = _programs()
        _owner()
        folder = Path(tempfile.mkdtemp(prefix="mailhost-pg-"))  # short: a socket's path has 107 octets at most
        cluster = cls(programs, folder, _free_port(), secrets.token_hex(16))
        try:
            cluster._make()
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return cluster

    def url(self, name: str) -> str:
        """For SQLAlchemy."""
        return f"postgresql+asyncpg://{ACCOUNT}:{self.password}@127.0.0.1:{self.port}/{name}"

    def create(self, template: str = "template1") -> str:
        """A fresh database."""
        name = f"t{next(self._numbers)}"
        self._client("createdb", "--template", template, name)
        return name

    def create_like(self, kind: str, prepare: Callable[[str], None]) -> str:
        """A fresh copy of a database that `prepare(url)` fills once a session; it must leave no connection open."""
        if kind not in self._templates:
            template = self.create()
            prepare(self.url(template))
            self._templates[kind] = template
        return self.create(self._templates[kind])

    def drop(self, name: str) -> None:
        self._client("dropdb", "--force", "--if-exists", name)

    def stop(self) -> None:
        self._server("pg_ctl", "stop", "--wait", "--mode=immediate", "--pgdata", str(self.folder / "data"))
        shutil.rmtree(self.folder, ignore_errors=True)

    def _make(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        for path in (self.folder, secret):
            os.chown(path, *_owner())
        data = str(self.folder / "data")
        self._server(
            "initdb", "--pgdata", data, "--username", ACCOUNT, "--pwfile", str(secret), "--auth-local=trust",
            "--auth-host=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync",
        )  # fmt: skip
        given = {**SETTINGS, "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": self.folder}
        options = " ".join(f"-c {name}={value}" for name, value in given.items())
        log = str(self.folder / "log")
        self._server("pg_ctl", "start", "--wait", "--pgdata", data, "--log", log, "--options", options)

    def _client(self, program: str, *arguments: str) -> None:
        place = ("--host", str(self.folder), "--port", str(self.port), "--username", ACCOUNT)
        _run([str(self.programs / program), *place, *arguments])

    def _server(self, program: str, *arguments: str) -> None:
        user, group = _owner()
        as_other: dict[str, Any] = {} if os.getuid() == user else {"user": user, "group": group, "extra_groups": []}
        _run([str(self.programs / program), *arguments], cwd=self.folder, **as_other)


def _run(command: list[str], **options: Any) -> None:
    """Its words are kept in a file: a server that it leaves behind would hold a pipe open."""
    with tempfile.TemporaryFile("w+") as said:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT, timeout=60, check=False, **options
        )
        if ended.returncode:
            said.seek(0)
            raise RuntimeError(f"{command[0]} ended with {ended.returncode}: {said.read()}")


def _programs() -> Path:
    """Debian keeps them in a folder of their version; the newest counts."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    on_path = shutil.which("initdb")
    for folder in [*reversed(folders), *([Path(on_path).parent] if on_path else [])]:
        if (folder / "initdb").exists():
            return folder
    raise Absent("PostgreSQL is not installed here (Debian: apt install postgresql)")


def _owner() -> tuple[int, int]:
    """Whose cluster it is. Raises `Absent`."""
    if os.getuid():
        return os.getuid(), os.getgid()
    try:
        entry = pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise Absent(f"PostgreSQL does not run as root, and there is no account {ACCOUNT}") from None
    return entry.pw_uid, entry.pw_gid


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
