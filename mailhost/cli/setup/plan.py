"""What a set-up will write into the file of settings: only what differs from the defaults, each with its reason."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mailhost.cli.authority import Folder
from mailhost.cli.settings_file import Settings, with_overrides
from mailhost.config.load import parse
from mailhost.config.manual import to_toml
from mailhost.config.settings import Config
from mailhost.message.address import Address

HEAD = """\
# Settings of this server, made by `mailhost setup`. Only what differs from the defaults stands here: `mailhost config example` prints
# every setting with its default, its unit and its reason. After a change, `mailhost config check`; then reload the server (SIGHUP).
"""
DATA = Config().server.data


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the administrator asks for."""

    address: Address
    path: Path
    data: Path = DATA
    host: str = ""
    bind: str = ""
    user: str = ""
    certificate: Path | None = None
    key: Path | None = None
    overrides: Sequence[str] = ()

    @property
    def name(self) -> str:
        """By which the server calls itself."""
        return self.host or f"mail.{self.address.domain}"


def plan(wishes: Wishes) -> Settings:
    """Nothing is written yet. Raises `ConfigProblem`."""
    text = with_overrides(HEAD + "".join(_lines(wishes)), wishes.overrides)
    return Settings(wishes.path, text, parse(text, wishes.path.name, wishes.path.absolute().parent))


def own_authority(planned: Settings) -> Folder | None:
    """Where the private CA is, if the certificate is to be its."""
    tls, folder = planned.config.tls, Folder(planned.config.server.data / "tls")
    return folder if (tls.certificate, tls.key) == (folder.certificate, folder.key) else None


def _lines(wishes: Wishes) -> Iterator[str]:
    yield "\n[server]\n# The name by which others reach this server; its certificate is for this name.\n"
    yield f"host = {to_toml(wishes.name)}\n"
    if wishes.data != DATA:
        yield f"# All that is kept is in this folder.\ndata = {to_toml(str(wishes.data.absolute()))}\n"
    if wishes.bind:
        yield f"# The address to listen on.\nbind = {to_toml(wishes.bind)}\n"
    if wishes.user:
        yield f"# Root starts the server for the ports below 1024; then it becomes this user.\nuser = {to_toml(wishes.user)}\n"
    if wishes.certificate and wishes.key:
        yield "\n[tls]\n# After a renewal of these files: reload the server.\n"
        yield f"certificate = {to_toml(str(wishes.certificate.absolute()))}\nkey = {to_toml(str(wishes.key.absolute()))}\n"
