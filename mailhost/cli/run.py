"""`mailhost run`: the server, until SIGTERM or SIGINT."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from mailhost.cli.options import CONFIG, SET
from mailhost.config.load import load
from mailhost.config.settings import Config

Ready = Callable[[dict[str, Any]], None]


@click.command
@CONFIG
@SET
@click.option("--wire", is_flag=True, help="Print every dialogue on standard error, secrets masked.")
@click.option("--ready-json", is_flag=True, help="Print one line of JSON once it serves: ports, pid, config.")
def command(config_path: Path, overrides: tuple[str, ...], wire: bool, ready_json: bool) -> int:
    """Serve mail in the foreground, until SIGTERM or SIGINT."""
    config = load(config_path, overrides)
    facts = {"pid": os.getpid(), "config": str(config_path.absolute())}
    return serve(config, wire=wire, ready=lambda served: announce(served | facts) if ready_json else None)


def serve(config: Config, *, wire: bool, ready: Ready) -> int:
    """Blocks until the server ends; answers with the exit code. `ready` hears once that every port is open."""
    # here, so that other commands start without Twisted
    from mailhost.service import run

    code: int = run(config, wire=wire, ready=ready)
    return code


def announce(facts: Mapping[str, Any]) -> None:
    """One line for the program that started this one."""
    click.echo(json.dumps(facts))
