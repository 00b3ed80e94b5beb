"""`mailhost queue retry`, `hold`, `release`, `reschedule`, `cancel`, `bounce` and `redirect`: one table, as they differ in a word."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailhost.cli.asking import counted
from mailhost.cli.exits import EX_DATAERR, Failure
from mailhost.cli.options import CONFIG
from mailhost.cli.queue import steering
from mailhost.cli.queue.choosing import choice, chosen_by
from mailhost.cli.queue.listing import JSONList
from mailhost.config.load import load
from mailhost.config.units import Duration
from mailhost.ids import Millis, now, text_of

if TYPE_CHECKING:
    from mailhost.queue.control import Waiting

DONE = {
    "retry": "to be tried now",
    "hold": "held",
    "release": "released",
    "reschedule": "put off",
    "cancel": "cancelled: nobody gets it, and its sender is not told",
    "bounce": "returned: nobody gets it, and its sender is told, if it has one",
    "redirect": "redirected",
}
HELP = {
    "retry": "Try what is chosen now.",
    "hold": "Hold what is chosen until it is released.",
    "release": "Release what is held, and try it now.",
    "reschedule": "Try what is chosen at a time: --at 2026-12-24T18:00, or --at 90m for so long from now.",
    "cancel": "Give up what is chosen, without a word; what is being sent at this moment is left alone.",
    "bounce": "Return what is chosen to its sender, with a notice as of any failure; what is being sent at this moment is left alone.",
    "redirect": "Send what is chosen to another address instead; what is being sent at this moment is left alone.",
}
OPTIONS: Mapping[str, Sequence[Callable[[Any], Any]]] = {
    "reschedule": [
        click.option(
            "--at", "when", required=True, metavar="TIME", help="A time of this machine, or a duration from now."
        ),
    ],
    "bounce": [click.option("--why", default="", metavar="TEXT", help="What its sender is told.")],
    "redirect": [click.option("--to", required=True, metavar="ADDRESS", help="Who gets it, here or elsewhere.")],
}
"""What each asks besides."""
LONGEST_WHY = 500


def _command(name: str) -> click.Command:
    @click.command(name, help=HELP[name])
    @chosen_by
    @click.option("--all", "every", is_flag=True, help="All that waits.")
    @click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
    @CONFIG
    def command(
        ids: tuple[str, ...],
        every: bool,
        as_json: bool,
        config_path: Path,
        when: str = "",
        why: str = "",
        to: str = "",
        **words: Any,
    ) -> None:
        asked = steering.Asked(name, moment(when) if when else None, _line(why), to)
        which = choice(ids, every=every, **words)
        said = JSONList()

        def hear(some: "Sequence[Waiting]") -> None:
            for each in some:
                said.add(text_of(each.delivery.id))

        done = asyncio.run(steering.steer(load(config_path), which, asked, hear if as_json else _unheard))
        if as_json:
            said.end()
        elif done.count or not (done.busy or done.in_circles):
            click.echo(f"{counted(done.count, 'recipient')} {DONE[name]}" if done.count else "nothing that fits waits")
        for line in _left(done, to):
            click.echo(line, err=as_json)

    for option in OPTIONS.get(name, ()):
        command = option(command)
    return command


def _unheard(_: object) -> None:
    """Nobody wants to know which."""


def _left(done: steering.Steered, to: str) -> list[str]:
    """What it was not done to."""
    said = []
    if done.busy:
        said.append(f"{counted(done.busy, 'recipient')} left alone: being sent at this moment; ask again in a while")
    if done.in_circles:
        said.append(f"{counted(done.in_circles, 'recipient')} left alone: for {to} already, or coming from there")
    if done.untold:
        said.append(f"of {counted(done.untold, 'message')} nobody is told: {done.why_untold}")
    return said


def _line(text: str) -> str:
    """One that a notice can have. Raises `Failure`."""
    if len(text) > LONGEST_WHY or not text.isprintable():
        raise Failure(f"--why: one line of at most {LONGEST_WHY} characters", EX_DATAERR)
    return text.strip()


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
