"""`mailhost alias delete`."""

import asyncio
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.asking import counted, parsed
from mailhost.cli.options import CONFIG
from mailhost.config.load import load


@click.command("delete")
@click.argument("alias")
@click.argument("targets", nargs=-1, metavar="[TARGET]...")
@CONFIG
def command(alias: str, targets: tuple[str, ...], config_path: Path) -> None:
    """Send mail for ALIAS to TARGET no more.

    Without any TARGET the whole alias goes.
    """
    from mailhost.administration import aliases

    name, wanted = parsed(alias), [parsed(target) for target in targets]
    gone = asyncio.run(office.asked(load(config_path), aliases.delete_alias, name, wanted))
    click.echo(f"{alias}: {counted(len(gone), 'target')} deleted")
