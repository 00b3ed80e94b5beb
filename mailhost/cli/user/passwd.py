"""`mailhost user passwd`: a new password."""

import asyncio
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.asking import PASSWORD_STDIN, parsed, password_for
from mailhost.cli.options import CONFIG
from mailhost.config.load import load


@click.command("passwd")
@click.argument("address")
@PASSWORD_STDIN
@CONFIG
def command(address: str, password_stdin: bool, config_path: Path) -> None:
    """Set a new password for ADDRESS.

    At a terminal it is asked for. Sessions under the old one end at once.
    """
    from mailhost.administration import accounts

    config, of = load(config_path), parsed(address)
    asyncio.run(office.asked(config, accounts.look, of))  # before anybody types
    asyncio.run(office.set_password(config, of, password_for(address, password_stdin)))
    click.echo(f"{address}: the new password counts from now on")
