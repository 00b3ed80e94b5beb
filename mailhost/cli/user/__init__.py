"""`mailhost user`: accounts; effective at once on a running server."""

import click

from mailhost.cli.user import add, delete, list_, passwd, switch


@click.group
def command() -> None:
    """Accounts: add, list, passwd, disable, enable, delete."""


for each in (add.command, list_.command, passwd.command, switch.disable, switch.enable, delete.command):
    command.add_command(each)
