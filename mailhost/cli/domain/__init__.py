"""`mailhost domain`: the domains whose mail this server keeps."""

import click

from mailhost.cli.domain import add, delete, list_


@click.group
def command() -> None:
    """Domains: add, list, delete."""


for each in (add.command, list_.command, delete.command):
    command.add_command(each)
