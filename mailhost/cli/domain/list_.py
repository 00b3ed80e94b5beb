"""`mailhost domain list`."""

import asyncio
import json
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.options import CONFIG
from mailhost.config.load import load


@click.command("list")
@click.option(
    "--json", "as_json", is_flag=True, help="One line of JSON for all, with how many accounts and aliases each has."
)
@CONFIG
def command(as_json: bool, config_path: Path) -> None:
    """List the domains."""
    from mailhost.administration import domains
    from mailhost.message.address import readable

    config = load(config_path)
    if as_json:
        found = asyncio.run(office.asked(config, domains.list_with_counts))
        click.echo(json.dumps([{"name": name, "accounts": users, "aliases": names} for name, users, names in found]))
    else:
        names = asyncio.run(office.asked(config, domains.list_domains))
        click.echo("".join(f"{readable(name)}\n" for name in names), nl=False)
