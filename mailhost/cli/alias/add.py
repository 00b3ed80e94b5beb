"""`mailhost alias add`."""

import asyncio
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.asking import parsed
from mailhost.cli.options import CONFIG
from mailhost.config.load import load


@click.command("add")
@click.argument("alias")
@click.argument("targets", nargs=-1, required=True, metavar="TARGET...")
@CONFIG
def command(alias: str, targets: tuple[str, ...], config_path: Path) -> None:
    """Send mail for ALIAS to each TARGET too.

    A TARGET is an account or an alias here, or an address elsewhere. ALIAS is of a domain of this server, and no account. With several targets it is a group. To move the mail for a
    postmaster, add the new target to postmaster@DOMAIN, then delete the old one.
    """
    from mailhost.administration import aliases

    name, wanted = parsed(alias), [parsed(target) for target in targets]
    new = asyncio.run(office.asked(load(config_path), aliases.add_alias, name, wanted))
    known = len(wanted) - len(new)
    click.echo(f"{alias}: {len(new)} added" + (f", {known} there already" if known else ""))
