"""`mailhost audit`: is everything that was accepted there, whole, and counted right?"""

import asyncio
import json
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.options import CONFIG, SET
from mailhost.config.load import load

FOUND = 1


@click.command
@CONFIG
@SET
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
def command(config_path: Path, overrides: tuple[str, ...], as_json: bool) -> int:
    """Compare counters, UIDs, the ledger of deliveries and the octets of every message with what they must be.

    Nothing is changed; the server may run. Exit code 1 when something is found, a line for each. The last line says what
    became of all recipients that were accepted, those that wait among them.
    """
    findings, states = asyncio.run(office.audit(load(config_path, overrides)))
    if as_json:
        told = [{"check": each.check, "text": each.text} for each in findings]
        click.echo(json.dumps({"findings": told, "recipients": states}))
    else:
        click.echo("".join(f"{each.check}: {each.text}\n" for each in findings) or "no problem found\n", nl=False)
        sums = " + ".join(f"{count:,} {state}" for state, count in states.items()) or "0"
        click.echo(f"recipients in the ledger: {sums}")
    return FOUND if findings else 0
