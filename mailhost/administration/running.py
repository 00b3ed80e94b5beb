"""Which server runs on a data folder: a locked file there says its process and its ports, for as long as it lives."""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mailhost.config.problem import ConfigProblem
from mailhost.transport.user import own_name

RUN = "run"
LONGEST = 4096
TRIES, MOMENT = 5, 0.02


class AlreadyRuns(ConfigProblem):
    """A server runs on this folder."""


@dataclass(frozen=True, slots=True)
class Running:
    """A server that lives."""

    pid: int = 0
    bind: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)

    def holds(self, address: str, port: int) -> bool:
        """Whether it is the one that listens there."""
        return self.bind == address and port in self.ports.values()


@dataclass(frozen=True, slots=True)
class Held:
    """The folder is ours until we end."""

    file: int

    def serves(self, bind: str, ports: Mapping[str, int]) -> None:
        _write(self.file, Running(os.getpid(), bind, ports))

    def close(self) -> None:
        os.ftruncate(self.file, 0)
        os.close(self.file)


def running(data: Path, node: int) -> Running | None:
    """The server of this number that runs on the folder, if one does; nothing is made there."""
    try:
        file = os.open(_path(data, node), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read(file)
    finally:
        os.close(file)
    return None


def check_alone(data: Path, node: int) -> None:
    """Raises `AlreadyRuns`."""
    if found := running(data, node):
        raise _problem(data, found)


def hold(data: Path, node: int) -> Held:
    """Raises `AlreadyRuns`, `ConfigProblem`."""
    path = _path(data, node)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except PermissionError as refused:
        cure = f"run `mailhost setup`, or let it belong to {own_name()}: chown -R {own_name()} {data}"
        raise ConfigProblem(
            "", "server.data", f"{refused.filename} cannot be written by {own_name()}; {cure}"
        ) from None
    if not any(_lock(file) for _ in range(TRIES)):
        found = _read(file)
        os.close(file)
        raise _problem(data, found)
    _write(file, Running(os.getpid()))
    return Held(file)


def _lock(file: int) -> bool:
    """Whoever only looks holds the lock for a moment; a server holds it for as long as it lives."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        time.sleep(MOMENT)
        return False
    return True


def _path(data: Path, node: int) -> Path:
    return data / RUN / f"server-{node}"


def _problem(data: Path, found: Running) -> AlreadyRuns:
    who = f"already runs (pid {found.pid})" if found.pid else "already runs"
    return AlreadyRuns("", "server.data", f"a server on {data} {who}; end it, or use another folder")


def _read(file: int) -> Running:
    """One that has just begun may not have written yet."""
    try:
        return Running(**json.loads(os.pread(file, LONGEST, 0)))
    except (ValueError, TypeError):
        return Running()


def _write(file: int, facts: Running) -> None:
    said = {"pid": facts.pid, "bind": facts.bind, "ports": dict(facts.ports)}
    os.ftruncate(file, 0)
    os.pwrite(file, json.dumps(said).encode(), 0)
