"""`mailhost run`: the server, until SIGTERM or SIGINT."""

import json
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from mailhost.cli.options import CONFIG, SET, WIRE
from mailhost.config.load import load
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import Config

Ready = Callable[[dict[str, Any]], None]


@click.command
@CONFIG
@SET
@WIRE
@click.option("--ready-json", is_flag=True, help="Print one line of JSON once it serves: ports, pid, config.")
def command(config_path: Path, overrides: tuple[str, ...], wire: str | None, ready_json: bool) -> int:
    """Serve mail in the foreground, until SIGTERM or SIGINT. SIGHUP reads settings and certificate anew."""
    facts = {"pid": os.getpid(), "config": str(config_path.absolute())}
    return serve(
        lambda: load(config_path, overrides),
        source=config_path.name,
        wire=wire,
        ready=lambda served: announce(served | facts) if ready_json else None,
    )


def serve(read: Callable[[], Config], *, source: str, wire: str | None, ready: Ready) -> int:
    """Blocks until the server ends; answers with the exit code.

    `read` gives the settings, at SIGHUP once more; `source` is where they are from; `ready` hears once that every port is open.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it is heard: what it asks for is about to be read anyway
    from mailhost.service import run  # here, so that other commands start without Twisted
    from mailhost.transport.user import check_user

    def checked() -> Config:
        try:
            return check(read(), source)
        except ConfigProblem as problem:
            raise problem.within(source) from None

    try:
        config = checked()
        check_user(config.server.user)
        return run(config, wire=wire, ready=ready, read=checked)
    except ConfigProblem as problem:
        raise problem.within(source) from None


def check(config: Config, source: str) -> Config:
    """Settings that can be served with. Raises `ConfigProblem`. A certificate of our own CA that nears its end is renewed."""
    from mailhost.cli import authority
    from mailhost.cli.extensions import check_extensions
    from mailhost.transport import certificate
    from mailhost.transport.user import as_server

    check_extensions(config, source)
    with as_server(config.server.user):  # never root: what is in that user's folder may be a link to elsewhere
        authority.renew(config)
    if not config.server.data.exists():
        cure = f"there is no folder {config.server.data}; set where it is, or make it with `mailhost setup`"
        raise ConfigProblem("", "server.data", cure)
    certificate.check(config.tls)
    return config


def announce(facts: Mapping[str, Any]) -> None:
    """One line for the program that started this one."""
    click.echo(json.dumps(facts))
