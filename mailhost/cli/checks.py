"""What `mailhost config check` looks at beyond the file: certificate, folder, ports, user, limits of the system."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from mailhost.administration.running import Running, running
from mailhost.cli.extensions import check_extensions
from mailhost.config.doubts import doubts
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import Config
from mailhost.transport import certificate, ports, reactor, user


def problems(config: Config) -> Iterator[ConfigProblem]:
    """What would stop the start, a line each."""
    checks: tuple[Callable[[Config], Iterator[ConfigProblem]], ...] = (
        _raised(lambda config: check_extensions(config, "")),
        _raised(lambda config: certificate.check(config.tls)),
        _raised(lambda config: user.check_user(config.server.user)),
        _raised(lambda config: reactor.need_open_files(config.server.open_files)),
        _folder,
        _ports,
    )
    for check in checks:
        yield from check(config)


def warnings(config: Config) -> Iterator[ConfigProblem]:
    """What the server starts with all the same."""
    yield from doubts(config)
    try:
        certificate.check(config.tls)
    except ConfigProblem:
        return  # it has been told
    yield from certificate.warnings(config.tls, config.server.host)
    yield from _key_of_root(config)


def _key_of_root(config: Config) -> Iterator[ConfigProblem]:
    """Root reads the key at the start; at SIGHUP, and under systemd with User=, nobody is root any more."""
    with _as_user(config.server.user) as name:
        for key, path in (("tls.certificate", config.tls.certificate), ("tls.key", config.tls.key)):
            if not os.access(path, os.R_OK, effective_ids=True):
                line = f"{path} cannot be read by {name}: SIGHUP will not take a new one; let {name} read it"
                yield ConfigProblem("", key, line)


def _raised(check: Callable[[Config], object]) -> Callable[[Config], Iterator[ConfigProblem]]:
    def found(config: Config) -> Iterator[ConfigProblem]:
        try:
            check(config)
        except ConfigProblem as problem:
            yield problem

    return found


def _folder(config: Config) -> Iterator[ConfigProblem]:
    """The server's user must be able to write there, or to make it."""
    data = config.server.data
    place = next((each for each in (data, *data.parents) if os.path.lexists(each)), Path("/"))
    if place == data and not data.is_dir():
        yield ConfigProblem("", "server.data", f"{data} is not a folder; name one, or a place where one can be made")
        return
    with _as_user(config.server.user) as name:
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=True):
            verb = "written" if place == data else f"made in {place}"
            cure = f"run `mailhost setup`, or let it belong to {name}: chown -R {name} {data}"
            yield ConfigProblem("", "server.data", f"{data} cannot be {verb} by {name}; {cure}")
            return
        for each in [data / f"mailhost.db{end}" for end in ("", "-wal", "-shm", "-lock")]:
            if each.exists() and not os.access(each, os.R_OK | os.W_OK, effective_ids=True):
                line = f"{each} cannot be written by {name}; chown {name} {each} && chmod 600 {each}"
                yield ConfigProblem("", "server.data", line)


def _ports(config: Config) -> Iterator[ConfigProblem]:
    """Each can be had, unless the server that runs on this folder has it."""
    ours = running(config.server.data, config.server.node) or Running()
    for name, listener in config.listeners.items():
        try:
            ports.bind(name, config.server.bind, listener.port).close()
        except ports.PortBusy as busy:
            if not ours.holds(config.server.bind, listener.port):
                yield busy


@contextmanager
def _as_user(name: str) -> Iterator[str]:
    """Root looks with the eyes of the user that the server will be, where there is such a user."""
    try:
        is_other = user.is_root() and bool(name) and bool(user.entry(name))
    except ConfigProblem:
        is_other = False
    with user.seen_by(name) if is_other else nullcontext():
        yield name or user.own_name()
