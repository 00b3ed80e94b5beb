"""`mailhost queue retry`, `hold`, `release`, `reschedule` and `cancel`: one table, as they differ in a word."""

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click

from mailhost.cli import office
from mailhost.cli.asking import counted
from mailhost.cli.exits import EX_DATAERR, Failure
from mailhost.cli.options import CONFIG
from mailhost.cli.queue.choosing import choice, chosen_by
from mailhost.config.load import load
from mailhost.config.units import Duration
from mailhost.ids import Millis, now, text_of

DONE = {
    "retry": "to be tried now",
    "hold": "held",
    "release": "released",
    "reschedule": "put off",
    "cancel": "cancelled: nobody gets it, and its sender is not told",
}
HELP = {
    "retry": "Try what is chosen now.",
    "hold": "Hold what is chosen until it is released.",
    "release": "Release what is held, and try it now.",
    "reschedule": "Try what is chosen at a time: --at 2026-12-24T18:00, or --at 90m for so long from now.",
    "cancel": "Give up what is chosen; what is being sent at this moment is left alone.",
}
AT = click.option("--at", "when", required=True, metavar="TIME", help="A time of this machine, or a duration from now.")


def _command(name: str) -> click.Command:
    @click.command(name, help=HELP[name])
    @chosen_by
    @click.option("--all", "every", is_flag=True, help="All that waits.")
    @click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
    @CONFIG
    def command(ids: tuple[str, ...], every: bool, as_json: bool, config_path: Path, **words: Any) -> None:
        from mailhost.administration import queue

        at = None if "when" not in words else moment(words.pop("when"))
        which = choice(ids, every=every, **words)
        done = asyncio.run(office.asked(load(config_path), queue.act, which, queue.Act(name, at)))
        if as_json:
            click.echo(json.dumps([text_of(each.delivery.id) for each in done]))
        else:
            click.echo(f"{counted(len(done), 'recipient')} {DONE[name]}" if done else "nothing that fits waits")

    return AT(command) if name == "reschedule" else command


def moment(written: str) -> Millis:
    """Raises `Failure`."""
    try:
        return Millis(now() + Duration.read(written) // timedelta(milliseconds=1))
    except ValueError:
        pass
    try:
        return Millis(int(datetime.fromisoformat(written).timestamp() * 1000))
    except ValueError:
        raise Failure(f"--at {written!a}: write 2026-12-24T18:00, or 90m for so long from now", EX_DATAERR) from None


COMMANDS = tuple(map(_command, DONE))
