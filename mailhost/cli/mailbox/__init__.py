"""`mailhost mailbox`: what an account holds."""

import click

from mailhost.cli.mailbox import list_


@click.group
def command() -> None:
    """Mailboxes: list."""


command.add_command(list_.command)
