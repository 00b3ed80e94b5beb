"""`mailhost user delete`: an account and all that is in it."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailhost.cli import office
from mailhost.cli.asking import YES, confirm, counted, parsed
from mailhost.cli.options import CONFIG
from mailhost.config.load import load

if TYPE_CHECKING:
    from mailhost.administration.removal import Deleted


@click.command("delete")
@click.argument("address")
@YES
@CONFIG
def command(address: str, yes: bool, config_path: Path) -> None:
    """Delete the account ADDRESS and all its mail.

    Its sessions end at once, aliases that led to it lead there no more, and the address is free afterwards. When it is
    interrupted, the same command finishes it.
    """
    from mailhost.administration import accounts, removal

    config, of = load(config_path), parsed(address)
    found = asyncio.run(office.asked(config, accounts.look, of))
    if not yes:
        holds = f"{counted(found.totals.messages, 'message')} ({counted(found.totals.octets, 'octet')})"
        confirm(f"Delete {address} with {holds}, for good?")
    click.echo(told(asyncio.run(office.asked_with_octets(config, removal.delete_account, of))))


def told(deleted: "Deleted") -> str:
    """One line."""
    from mailhost.message.address import readable

    what = [f"{readable(deleted.address)}: deleted with {counted(deleted.messages, 'message')}"]
    if deleted.cancelled:
        what.append(f"{counted(deleted.cancelled, 'message')} that waited for it cancelled")
    if deleted.aliases:
        what.append(f"no longer named by {', '.join(map(readable, deleted.aliases))}")
    return "; ".join(what)
