"""Where an administrator comes in: `mailhost setup`, `run`, `try`, `user`, `domain`, `alias`, `mailbox`, `deliver`, `config`,
`audit`, `trace`; one file per subcommand.

Every way out is a code of sysexits.h with one line on standard error. Read `exits` for the codes, then the subcommand.
"""

import importlib
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import click

from mailhost import __version__
from mailhost.cli.exits import INTERRUPTED, report

COMMANDS: Mapping[str, str] = {
    "setup": "mailhost.cli.setup.command",
    "run": "mailhost.cli.run",
    "user": "mailhost.cli.user",
    "domain": "mailhost.cli.domain",
    "alias": "mailhost.cli.alias",
    "mailbox": "mailhost.cli.mailbox",
    "deliver": "mailhost.cli.deliver",
    "config": "mailhost.cli.config",
    "audit": "mailhost.cli.audit",
    "trace": "mailhost.cli.trace",
    "queue": "mailhost.cli.queue",
    "try": "mailhost.cli.trying.command",
    "quickstart": "mailhost.cli.quickstart.command",
}
"""Each module has a `command`; it is imported when it is asked for, so that a short command starts fast."""


class Program(click.Group):
    """The subcommands, found by the table."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        found = importlib.import_module(COMMANDS[cmd_name]).command
        return found if isinstance(found, click.Command) else None


@click.command(cls=Program, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, message="%(prog)s %(version)s")
def program() -> None:
    """A full mailbox server: SMTP, POP3 and IMAP4 over one mailbox store that never loses mail."""
    os.umask(0o077)  # mail, keys and passwords are the server's alone


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """The program `mailhost`."""
    try:
        code = program.main(arguments, prog_name="mailhost", standalone_mode=False)
    except Exception as problem:  # noqa: BLE001 - an administrator gets one line and a code, whatever went wrong
        code = report(problem)
    except KeyboardInterrupt:
        code = INTERRUPTED
    sys.exit(code or 0)
