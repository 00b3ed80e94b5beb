"""`mailhost mailbox list`."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailhost.cli import office
from mailhost.cli.asking import parsed, shown
from mailhost.cli.options import CONFIG
from mailhost.cli.table import columns
from mailhost.config.load import load

if TYPE_CHECKING:
    from mailhost.store.values import Mailbox

HEAD = ("MESSAGES", "UNSEEN", "OCTETS", "UIDVALIDITY", "UIDNEXT", "USE", "NAME")
NUMBERS = range(5)


@click.command("list")
@click.argument("address")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
@CONFIG
def command(address: str, as_json: bool, config_path: Path) -> None:
    """List the mailboxes of ADDRESS.

    Messages, those of them not seen, their octets, UIDVALIDITY, UIDNEXT (RFC 3501 section 2.3.1.1), special use, name.
    """
    from mailhost.administration import mailboxes

    found = asyncio.run(office.asked(load(config_path), mailboxes.list_mailboxes, parsed(address)))
    if as_json:
        click.echo(json.dumps([_value(each) for each in found]))
    else:
        click.echo("\n".join(columns([HEAD, *map(_row, found)], NUMBERS)))


def _row(each: "Mailbox") -> tuple[str, ...]:
    """The name comes last: it may be long."""
    numbers = each.messages, each.unseen, each.octets, each.uid_validity, each.uid_next
    return *map(str, numbers), (each.special_use or "").removeprefix("\\"), shown(each.name)


def _value(each: "Mailbox") -> dict[str, Any]:
    return {
        "name": each.name,
        "messages": each.messages,
        "unseen": each.unseen,
        "octets": each.octets,
        "special_use": each.special_use,
        "uid_validity": each.uid_validity,
        "uid_next": each.uid_next,
    }
