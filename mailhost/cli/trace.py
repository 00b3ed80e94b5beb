"""`mailhost trace`: where is my message?"""

import asyncio
import json
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.options import CONFIG, SET
from mailhost.config.load import load
from mailhost.events.wire_text import printable

NOTHING = 1


@click.command
@click.argument("words", nargs=-1, required=True)
@CONFIG
@SET
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for each message.")
def command(config_path: Path, overrides: tuple[str, ...], words: tuple[str, ...], as_json: bool) -> int:
    """Tell what became of messages: accepted when, from whom, where each recipient's copy is now, and who fetched, moved or deleted it.

    WORDS are addresses, subjects or Message-IDs, parts of them, or the journey that the reply after DATA and the Received
    field name; a message is told of when all of them fit. What was refused is found by its addresses, as are logins that
    failed. The newest hundred, the oldest first; exit code 1 when there is none.
    """
    found = asyncio.run(office.trace(load(config_path, overrides), words))
    for said, values in found:
        click.echo(json.dumps(values) if as_json else "\n".join(map(printable, said)))
    if len(found) >= office.MOST_TRACED and not as_json:
        click.echo(f"(the newest {office.MOST_TRACED} are told; more words find fewer)")
    if not found and not as_json:
        click.echo("no such message is in the ledger, and none that was refused")
    return 0 if found else NOTHING
