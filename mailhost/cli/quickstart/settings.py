"""The file of settings of a quickstart: made the first time; later calls set single values in it."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import msgspec

from mailhost.cli.exits import EX_USAGE, Failure
from mailhost.config.edit import set_value
from mailhost.config.load import OVERRIDE, convert, parse, read_text, split_override
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import LISTENERS, Config
from mailhost.transport.ports import PortBusy, bind_all, close_all
from mailhost.transport.user import ROOT, is_root

DEFAULT_BASE = 2525
"""The ports below 1024 are root's."""
FILE = "mailhost.toml"
FIRST = """\
# Settings of this folder's server; `mailhost config example` prints all there are. scripts/run changes a line here only
# when it is told to (--ports, --set).

[server]
host = "mail.example.org"
data = "."
"""


@dataclass(frozen=True, slots=True)
class Settings:
    """The file as it will be, and what it says."""

    path: Path
    text: str
    config: Config

    def write(self) -> None:
        """Keep it, whole or not at all."""
        fresh = self.path.with_suffix(".new")
        descriptor = os.open(
            fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600
        )  # a database's password may stand in it
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.text)
        fresh.replace(self.path)


def plan(data: Path, base: int | None, overrides: Iterable[str]) -> Settings:
    """What the file in `data` says with these ports and overrides. Raises `ConfigProblem`; nothing is written yet."""
    path = data / FILE
    exists = path.exists()
    text = read_text(path) if exists else FIRST
    parse(text, path.name, data)
    if base is None and not exists:
        base = DEFAULT_BASE
    for section, port in _ports(base) if base is not None else ():
        text = set_value(text, section, "port", port)
    for override in overrides:
        text = _set(text, override)
    return Settings(path, text, parse(text, path.name, data))


def _set(text: str, override: str) -> str:
    section, key, value = split_override(override)
    convert({section: {key: value}}, OVERRIDE)  # names the one at fault, before the text is touched
    try:
        return set_value(text, section, key, value)
    except TypeError as error:
        raise ConfigProblem(OVERRIDE, f"{section}.{key}", str(error)) from None


def _ports(base: int) -> Iterator[tuple[str, int]]:
    """Consecutive ports, in the order of the file. Raises `Failure`."""
    if not 1 <= base <= 65_536 - len(LISTENERS):
        raise Failure(f"--ports {base}: choose a base from 1 to {65_536 - len(LISTENERS)}", EX_USAGE)
    return zip(LISTENERS, range(base, base + len(LISTENERS)), strict=True)


def of_this_user(config: Config) -> Config:
    """Whoever tries the server out on loopback may be root, as in a container; then it stays root."""
    if config.server.user or not is_root() or not ip_address(config.server.bind).is_loopback:
        return config
    return msgspec.structs.replace(config, server=msgspec.structs.replace(config.server, user=ROOT))


def check_ports(config: Config) -> None:
    """Raises `PortBusy` that names the first port which somebody else holds."""
    try:
        close_all(bind_all(config.server.bind, {name: listener.port for name, listener in config.listeners.items()}))
    except PortBusy as busy:
        raise type(busy)("", busy.key, f"{busy.cure}, such as scripts/run --ports BASE") from None
