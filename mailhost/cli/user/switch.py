"""`mailhost user disable`, `user enable`: who may log in."""

import asyncio
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.asking import parsed
from mailhost.cli.options import CONFIG
from mailhost.config.load import load


@click.command
@click.argument("address")
@CONFIG
def disable(address: str, config_path: Path) -> None:
    """Let nobody log in as ADDRESS.

    Its sessions end at once. Mail for it is taken as before, and nothing is deleted.
    """
    _switch(config_path, address, disabled=True)


@click.command
@click.argument("address")
@CONFIG
def enable(address: str, config_path: Path) -> None:
    """Let ADDRESS log in again."""
    _switch(config_path, address, disabled=False)


def _switch(config_path: Path, address: str, *, disabled: bool) -> None:
    from mailhost.administration import accounts

    changed = asyncio.run(office.asked(load(config_path), accounts.switch, parsed(address), disabled))
    state = "disabled" if disabled else "enabled"
    click.echo(f"{address}: {state}" if changed else f"{address}: was {state} already")
