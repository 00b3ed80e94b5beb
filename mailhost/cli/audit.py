"""`mailhost audit`: is everything that was accepted there, whole, and counted right?"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mailhost.cli import office
from mailhost.cli.options import CONFIG, SET
from mailhost.config.load import load

if TYPE_CHECKING:
    from mailhost.queue.audit import Sums
    from mailhost.queue.values import State

FOUND = 1


@click.command
@CONFIG
@SET
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
def command(config_path: Path, overrides: tuple[str, ...], as_json: bool) -> int:
    """Compare counters, UIDs, the ledger of deliveries and the octets of every message with what they must be.

    Nothing is changed; the server may run. Exit code 1 when something is found, a line for each. The last lines are the proof: what became of
    all recipients that were accepted, and of the copies that aliases and redirections made of them.
    """
    findings, sums = asyncio.run(office.audit(load(config_path, overrides)))
    if as_json:
        told = [{"check": each.check, "text": each.text} for each in findings]
        click.echo(json.dumps({"findings": told, **_values(sums)}))
    else:
        click.echo("".join(f"{each.check}: {each.text}\n" for each in findings) or "no problem found\n", nl=False)
        click.echo(f"accepted {sums.accepted:,} = {_sum(sums.states)}")
        if sums.copies:
            click.echo(f"copies {sums.copies:,} = {_sum(sums.states_of_copies)}")
    return FOUND if findings else 0


def _sum(states: "Mapping[State, int]") -> str:
    return " + ".join(f"{name} {count:,}" for name, count in _named(states).items()) or "0"


def _values(sums: "Sums") -> dict[str, object]:
    """`recipients` are all rows of the ledger, copies among them."""
    states, copies = _named(sums.states), _named(sums.states_of_copies)
    together = {name: states.get(name, 0) + copies.get(name, 0) for name in {**states, **copies}}
    return {
        "recipients": together,
        "accepted": sums.accepted,
        "states": states,
        "copies": sums.copies,
        "states_of_copies": copies,
    }


def _named(states: "Mapping[State, int]") -> dict[str, int]:
    """What waits stands last: it is not the end."""
    return {
        state.name.lower(): count for state, count in sorted(states.items(), key=lambda item: (not item[0], item[0]))
    }
