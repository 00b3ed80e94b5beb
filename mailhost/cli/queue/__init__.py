"""`mailhost queue`: what waits, for other hosts or for its time, and what to do with it; effective at once on a running server."""

import click

from mailhost.cli.queue import acts, list_, show


@click.group
def command() -> None:
    """What waits: list, show, retry, hold, release, reschedule, cancel, bounce, redirect."""


for each in (list_.command, show.command, *acts.COMMANDS):
    command.add_command(each)
