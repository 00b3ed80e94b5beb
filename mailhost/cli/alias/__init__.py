"""`mailhost alias`: other names for accounts, and groups; effective at once on a running server."""

import click

from mailhost.cli.alias import add, delete, list_


@click.group
def command() -> None:
    """Aliases and groups: add, list, delete."""


for each in (add.command, list_.command, delete.command):
    command.add_command(each)
