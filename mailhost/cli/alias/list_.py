"""`mailhost alias list`."""

import asyncio
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailhost.cli import office
from mailhost.cli.options import CONFIG
from mailhost.cli.table import columns
from mailhost.config.load import load

if TYPE_CHECKING:
    from mailhost.users.values import Alias


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
@CONFIG
def command(as_json: bool, config_path: Path) -> None:
    """List the aliases with their targets."""
    from mailhost.administration import aliases

    found = asyncio.run(office.asked(load(config_path), aliases.list_aliases))
    if as_json:
        click.echo(json.dumps([{"alias": each.address, "targets": list(each.targets)} for each in found]))
    else:
        click.echo("".join(f"{line}\n" for line in columns(list(_rows(found)))), nl=False)


def _rows(found: "Iterable[Alias]") -> Iterator[tuple[str, str]]:
    """A target a line; the alias stands at its first."""
    from mailhost.message.address import readable

    for each in found:
        for place, target in enumerate(each.targets):
            yield "" if place else readable(each.address), readable(target)
