"""`mailhost queue show`."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailhost.cli import office
from mailhost.cli.asking import counted
from mailhost.cli.exits import EX_DATAERR, Failure
from mailhost.cli.language import meant
from mailhost.cli.options import CONFIG
from mailhost.cli.queue.choosing import choice
from mailhost.cli.queue.list_ import HERE, as_value, when
from mailhost.config.load import load
from mailhost.events.wire_text import printable
from mailhost.ids import text_of

MOST = 10_000

if TYPE_CHECKING:
    from mailhost.database.database import Database
    from mailhost.queue.control import Choice, Waiting


@click.command("show")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
@CONFIG
def command(ids: tuple[str, ...], as_json: bool, config_path: Path) -> None:
    """Tell all that is known of what waits under ID, a delivery's or a journey's."""
    found = asyncio.run(office.asked(load(config_path), _found, choice(ids)))
    if as_json:
        click.echo(json.dumps([as_value(one) for one in found]))
    elif not found:
        raise Failure("nothing waits under this ID; `mailhost trace` tells what became of it", EX_DATAERR)
    else:
        click.echo("\n".join(printable(line) for one in found for line in _told(one)))


async def _found(database: "Database", which: "Choice") -> "list[Waiting]":
    """Of a message to very many, the first thousands."""
    from mailhost.administration import queue

    found: list[Waiting] = []
    async for page in queue.waiting(database, which):
        found += page
        if len(found) >= MOST:
            break
    return found


def _told(one: "Waiting") -> list[str]:
    row, accepted = one.delivery, one.acceptance
    found = meant(row.status, row.reply)
    return [
        f"{text_of(row.id)}: {row.recipient}",
        f"  journey {text_of(row.journey)} from <{accepted.reverse_path}>, {accepted.size:,} octets: {accepted.subject}",
        f"  to {row.destination or HERE}, {when(row.next_try, held=one.held)}, {counted(row.tries, 'try', 'tries')}",
        f"  {row.reason or 'no reason is known'}",
        *([f"  {row.host} said: {row.reply}"] if row.reply else []),
        *([f"  this means: {found.text}", f"  what you can do: {found.for_administrator}"] if found else []),
    ]
