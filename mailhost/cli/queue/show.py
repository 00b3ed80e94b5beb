"""`mailhost queue show`."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailhost.cli import office
from mailhost.cli.exits import EX_DATAERR, Failure
from mailhost.cli.options import CONFIG
from mailhost.cli.queue.choosing import choice
from mailhost.cli.queue.list_ import HERE, as_value, when
from mailhost.config.load import load
from mailhost.events.wire_text import printable
from mailhost.ids import text_of

if TYPE_CHECKING:
    from mailhost.queue.control import Waiting


@click.command("show")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
@CONFIG
def command(ids: tuple[str, ...], as_json: bool, config_path: Path) -> None:
    """Tell all that is known of what waits under ID, a delivery's or a journey's."""
    from mailhost.administration import queue

    found = asyncio.run(office.asked(load(config_path), queue.waiting, choice(ids)))
    if as_json:
        click.echo(json.dumps([as_value(one) for one in found]))
    elif not found:
        raise Failure("nothing waits under this ID; `mailhost trace` tells what became of it", EX_DATAERR)
    else:
        click.echo("\n".join(printable(line) for one in found for line in _told(one)))


def _told(one: "Waiting") -> list[str]:
    row, accepted = one.delivery, one.acceptance
    return [
        f"{text_of(row.id)}: {row.recipient}",
        f"  journey {text_of(row.journey)} from <{accepted.reverse_path}>, {accepted.size:,} octets: {accepted.subject}",
        f"  to {row.destination or HERE}, {when(row.next_try, held=one.held)}, {row.tries} tries",
        f"  {row.reason or 'no reason is known'}",
        *([f"  {row.host} said: {row.reply}"] if row.reply else []),
    ]
