"""`mailhost deliver`: a message on standard input, as procmail, fetchmail and cron hand it over."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import NoReturn

import click

from mailhost.cli import office
from mailhost.cli.exits import EX_DATAERR, EX_TEMPFAIL, Failure, verdict
from mailhost.cli.options import CONFIG
from mailhost.config.load import load

Read = Callable[[int], bytes]


@click.command
@click.argument("recipients", nargs=-1, required=True, metavar="RECIPIENT...")
@click.option("-f", "--from", "sender", default="", metavar="SENDER", help="Where it goes back to; without, nowhere.")
@CONFIG
def command(recipients: tuple[str, ...], sender: str, config_path: Path) -> None:
    """Deliver a message from standard input.

    It goes to each RECIPIENT, or to none of them. Its lines end with LF or CRLF; a first line "From ..." as in mbox files is left out. A name without a domain is of this
    server's. Exit code 0 once it is safe; 67: nobody of this name; 65: nothing that a message may be; 75: later, please.
    """
    by = sender.strip().removeprefix("<").removesuffix(">")
    try:
        _deliver(config_path, by, recipients)
    except click.ClickException:
        raise
    except Exception as problem:  # whoever hands a message over keeps it, whatever is wrong with us
        raise Failure(verdict(problem)[0], EX_TEMPFAIL) from problem


def _deliver(config_path: Path, sender: str, recipients: Sequence[str]) -> None:
    config = load(config_path)
    most = config.smtp.most_recipients
    if len(recipients) > most:
        raise Failure(f"more than {most:,} recipients (smtp.most_recipients); nothing was delivered", EX_DATAERR)
    if sys.stdin.isatty():
        click.echo("Type the message with its header; end it with Ctrl+D.", err=True)
    read = in_time(sys.stdin.buffer.read, config.smtp.message_timeout)
    asyncio.run(office.deliver(config, sender, recipients, os.getuid(), read))


def in_time(read: Read, limit: timedelta) -> Read:
    """A message that is not whole in time is given up: `read` raises `TimeoutError`. At its end the clock stops: no commit is cut off."""

    def too_late(*_: object) -> NoReturn:
        raise TimeoutError("the message did not end in time (smtp.message_timeout)")

    def limited(most: int) -> bytes:
        octets = read(most)
        if not octets:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return octets

    signal.signal(signal.SIGALRM, too_late)
    signal.setitimer(signal.ITIMER_REAL, limit.total_seconds())
    return limited
