"""`mailhost config`: look at the settings without starting anything."""

import json
from pathlib import Path

import click

from mailhost.cli.exits import EX_CONFIG
from mailhost.cli.options import CONFIG, SET
from mailhost.config import manual
from mailhost.config.load import load, parse


@click.group
def command() -> None:
    """Settings: check, show, example."""


@command.command
@CONFIG
@SET
def check(config_path: Path, overrides: tuple[str, ...]) -> int:
    """Look for all that would stop the server (exit code 78), and for what it would start with in vain.

    The settings, the certificate and its key, the data folder, the ports, the user, the limits of the system; a line each.
    The server may run.
    """
    config = load(config_path, overrides)
    from mailhost.cli import checks  # here, so that other commands start without the protocols

    found = list(checks.problems(config))
    for problem in found:
        click.echo(f"mailhost: {problem.within(config_path.name)}", err=True)
    for warning in checks.warnings(config):
        click.echo(f"mailhost: warning: {warning.within(config_path.name)}", err=True)
    if not found:
        click.echo(f"{config_path}: no problem found")
    return EX_CONFIG if found else 0


@command.command
@CONFIG
@SET
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each setting.")
def show(config_path: Path, overrides: tuple[str, ...], as_json: bool) -> None:
    """Print the settings in force; those that differ from the default say so. The password of a database is masked."""
    config = load(config_path, overrides)
    default = parse("", "", config_path.absolute().parent)
    if as_json:
        click.echo("".join(json.dumps(each) + "\n" for each in manual.values(config, default)), nl=False)
    else:
        click.echo(manual.dump(config, default), nl=False)


@command.command
def example() -> None:
    """Print a file with every setting, its default, its unit and its reason."""
    click.echo(manual.example(), nl=False)
