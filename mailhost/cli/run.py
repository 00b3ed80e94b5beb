"""`mailhost run`: the server, until SIGTERM or SIGINT."""

import json
import os
import ssl
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from mailhost.cli.options import CONFIG, SET, WIRE
from mailhost.config.load import load
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import TLS, Config

Ready = Callable[[dict[str, Any]], None]


@click.command
@CONFIG
@SET
@WIRE
@click.option("--ready-json", is_flag=True, help="Print one line of JSON once it serves: ports, pid, config.")
def command(config_path: Path, overrides: tuple[str, ...], wire: str | None, ready_json: bool) -> int:
    """Serve mail in the foreground, until SIGTERM or SIGINT."""
    config = load(config_path, overrides)
    facts = {"pid": os.getpid(), "config": str(config_path.absolute())}
    return serve(
        config,
        source=config_path.name,
        wire=wire,
        ready=lambda served: announce(served | facts) if ready_json else None,
    )


def serve(config: Config, *, source: str, wire: str | None, ready: Ready) -> int:
    """Blocks until the server ends; answers with the exit code. `source` is where the settings are from; `ready` hears once that every port is open."""
    check_certificate(config.tls)
    from mailhost.cli.extensions import check_extensions
    from mailhost.service import run  # here, so that other commands start without Twisted

    check_extensions(config, source)
    return run(config, wire=wire, ready=ready)


def check_certificate(tls: TLS) -> None:
    """Certificate and key are there and belong together. Raises `ConfigProblem` with the setting's name."""
    for key, path in (("tls.certificate", tls.certificate), ("tls.key", tls.key)):
        try:
            path.open("rb").close()
        except OSError as error:
            cure = f"cannot be read: {error.strerror}; put your own there, or say in the settings where it is"
            raise ConfigProblem(str(path), key, cure) from None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tls.certificate, tls.key, password=lambda: "")
    except (ssl.SSLError, ValueError):
        cure = "does not go with the certificate; both are PEM, the key without a passphrase"
        raise ConfigProblem(str(tls.key), "tls.key", cure) from None


def announce(facts: Mapping[str, Any]) -> None:
    """One line for the program that started this one."""
    click.echo(json.dumps(facts))
