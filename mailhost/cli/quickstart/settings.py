"""The file of settings of a quickstart: made the first time; later calls set single values in it."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_address
from pathlib import Path

import msgspec

from mailhost.cli.exits import EX_USAGE, Failure
from mailhost.cli.settings_file import Settings, with_overrides
from mailhost.config.edit import set_value
from mailhost.config.load import parse, read_text
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

[relay]
enabled = false  # mail for other hosts waits: a server to try out bothers nobody
"""


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
    text = with_overrides(text, overrides)
    return Settings(path, text, parse(text, path.name, data))


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
