"""Set up a folder, then serve from it."""

import os
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from mailhost.cli.options import WIRE
from mailhost.cli.quickstart import certificates, sample, settings
from mailhost.cli.quickstart.greeting import greeting
from mailhost.cli.run import announce, serve
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
    settings.check_ports(planned.config)
    facts = prepare(data, planned)
    sample.add_accounts(planned.config, facts["accounts"][0]["password"])
    show = announce if as_json else lambda served: _greet(planned.config, served)

    def ready(served: Mapping[str, Any]) -> None:
        planned.write()  # only now: settings that stop the start would stop every later one too
        show({"ports": served["ports"], **facts})

    return serve(planned.config, source="scripts/run", wire=wire, ready=ready)


def prepare(data: Path, planned: settings.Settings) -> dict[str, Any]:
    """Make the folder, its certificates and the password; all that does not need the database."""
    data.mkdir(mode=0o700, parents=True, exist_ok=True)
    tls = certificates.Folder(data / "tls")
    certificates.ensure(tls, names(planned.config.server.host))
    secret = sample.password(data)
    return {
        "accounts": [{"address": address, "password": secret} for address in sample.ADDRESSES],
        "ca": str(tls.ca),
        "pid": os.getpid(),
        "config": str(planned.path),
    }


def names(host: str) -> list[str]:
    """By which names a client may reach the server; clients guess mail., imap., pop. and smtp. of the domain."""
    guessed = [f"{service}.{sample.DOMAIN}" for service in ("mail", "imap", "pop", "smtp")]
    return list(dict.fromkeys(["localhost", host, *guessed, "127.0.0.1", "::1"]))


def _greet(config: Config, served: Mapping[str, Any]) -> None:
    ca = Path(served["ca"])
    accounts = {account["address"]: account["password"] for account in served["accounts"]}
    text = greeting(
        served["ports"],
        accounts,
        ca,
        certificates.fingerprint(ca),
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
