"""`mailhost config`: look at the settings without starting anything."""

from pathlib import Path

import click

from mailhost.cli.options import CONFIG, SET
from mailhost.config import manual
from mailhost.config.load import load


@click.group
def command() -> None:
    """Settings: check, show, example."""


@command.command
@CONFIG
@SET
def check(config_path: Path, overrides: tuple[str, ...]) -> None:
    """Say in one line what is wrong with the settings (exit code 78), or that they are well."""
    config = load(config_path, overrides)
    from mailhost.cli.extensions import check_extensions  # here, so that other commands start without the protocols

    check_extensions(config, config_path.name)
    click.echo(f"{config_path}: no problem found")


@command.command
@CONFIG
@SET
def show(config_path: Path, overrides: tuple[str, ...]) -> None:
    """Print the settings in force, defaults included; the password of a database is masked."""
    click.echo(manual.dump(load(config_path, overrides)), nl=False)


@command.command
def example() -> None:
    """Print a file with every setting, its default, its unit and its reason."""
    click.echo(manual.example(), nl=False)
