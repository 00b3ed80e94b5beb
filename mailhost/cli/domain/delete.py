"""`mailhost domain delete`."""

import asyncio
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.asking import YES, confirm, parsed_domain
from mailhost.cli.options import CONFIG
from mailhost.cli.user.delete import told
from mailhost.config.load import load


@click.command("delete")
@click.argument("name")
@click.option("--with-accounts", is_flag=True, help="Delete its accounts with their mail, and its aliases, too.")
@YES
@CONFIG
def command(name: str, with_accounts: bool, yes: bool, config_path: Path) -> None:
    """Keep no mail for the domain NAME any more.

    Refused while it has accounts or aliases, unless these are to go too.
    """
    from mailhost.administration import removal

    config, domain = load(config_path), parsed_domain(name)
    if with_accounts and not yes:
        confirm(f"Delete {name} with all its accounts and their mail, for good?")
    for each in asyncio.run(office.asked_with_octets(config, removal.delete_domain, domain, with_accounts)):
        click.echo(told(each))
    click.echo(f"{name}: deleted")
