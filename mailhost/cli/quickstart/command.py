"""Set up a folder, then serve from it."""

import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from mailhost.administration.running import check_alone
from mailhost.cli import authority
from mailhost.cli.options import WIRE
from mailhost.cli.quickstart import sample, settings
from mailhost.cli.quickstart.greeting import greeting
from mailhost.cli.run import announce, serve
from mailhost.cli.settings_file import Settings
from mailhost.config.load import load
from mailhost.config.settings import Config


@click.command(hidden=True)
@click.option(
    "--data", type=click.Path(path_type=Path), default=Path("data"), show_default=True, help="The folder of all."
)
@click.option(
    "--ports", "base", type=int, help="Take seven ports from BASE on.  [default: 2525, or as the folder says]"
)
@click.option(
    "--set", "overrides", multiple=True, metavar="SECTION.KEY=VALUE", help="Set a value in the folder's settings."
)
@WIRE
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON once it serves.")
def command(data: Path, base: int | None, overrides: tuple[str, ...], wire: str | None, as_json: bool) -> int:
    """Start a server to try, with sample accounts and a private CA, on loopback."""
    data = data.absolute()
    planned = settings.plan(data, base, overrides)
    check_alone(planned.config.server.data, planned.config.server.node)
    settings.check_ports(planned.config)
    facts = prepare(data, planned)
    sample.add_accounts(planned.config, facts["accounts"][0]["password"])
    show = announce if as_json else lambda served: _greet(planned.config, served)

    def ready(served: Mapping[str, Any]) -> None:
        planned.write()  # only now: settings that stop the start would stop every later one too
        show({"ports": served["ports"], **facts})

    return serve(Source(planned), source="scripts/run", wire=wire, ready=ready)


@dataclass(slots=True)
class Source:
    """The settings as they are planned; at SIGHUP, as the folder's file says by then."""

    planned: Settings
    was_read: bool = False

    def __call__(self) -> Config:
        config = load(self.planned.path) if self.was_read else self.planned.config
        self.was_read = True
        return settings.of_this_user(config)


def prepare(data: Path, planned: Settings) -> dict[str, Any]:
    """Make the folder, its certificates and the password; all that does not need the database."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = authority.Folder(data / "tls")
    authority.ensure(tls, authority.names(planned.config.server.host, sample.DOMAIN))
    secret = sample.password(data)
    return {
        "accounts": [{"address": address, "password": secret} for address in sample.ADDRESSES],
        "ca": str(tls.ca),
        "pid": os.getpid(),
        "config": str(planned.path),
    }


def _greet(config: Config, served: Mapping[str, Any]) -> None:
    ca = Path(served["ca"])
    accounts = {account["address"]: account["password"] for account in served["accounts"]}
    text = greeting(
        served["ports"],
        accounts,
        ca,
        authority.fingerprint(ca),
        config.server.bind,
        trial=shlex.join(
            [_shown(Path(sys.executable).with_name("mailhost")), "try", "--config", _shown(served["config"])]
        ),
        plaintext=config.login.allow_plaintext,
    )
    click.echo(text, nl=False)


def _shown(path: str | Path) -> str:
    """As short as it can be typed from here."""
    absolute = Path(path).absolute()
    return str(absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else absolute)
