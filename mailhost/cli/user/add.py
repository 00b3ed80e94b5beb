"""`mailhost user add`: an account with its mailboxes, or many."""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import click

from mailhost.cli import office
from mailhost.cli.asking import LONGEST_LINE, PASSWORD_STDIN, checked_password, parsed, password_for, shown, text_of
from mailhost.cli.exits import EX_DATAERR, Failure
from mailhost.cli.options import CONFIG
from mailhost.config.load import load
from mailhost.config.settings import Config

MOST_LINES = 100_000


@click.command("add")
@click.argument("address", required=False)
@PASSWORD_STDIN
@click.option("--lines", is_flag=True, help="Read lines ADDRESS PASSWORD from standard input, an account each.")
@click.option("--add-domain", is_flag=True, help="Add the domain too where this server does not have it.")
@CONFIG
def command(address: str | None, password_stdin: bool, lines: bool, add_domain: bool, config_path: Path) -> int:
    """Add the account ADDRESS, or many with --lines.

    Each comes with its mailboxes. At a terminal the password is asked for. The first account of a domain gets the mail for its postmaster too.
    """
    if lines == (address is not None) or (lines and password_stdin):
        raise click.UsageError("give ADDRESS, or --lines")
    config = load(config_path)
    if lines:
        return asyncio.run(_add_many(config, read_pairs(sys.stdin.buffer), add_domain))
    assert address is not None
    return _add_one(config, address, password_stdin, add_domain)


def _add_one(config: Config, address: str, password_stdin: bool, add_domain: bool) -> int:
    """Nobody types a password for an address that cannot be added."""
    from mailhost.administration import accounts

    asyncio.run(office.asked(config, accounts.may_add, parsed(address), add_domain))
    password = password_for(address, password_stdin)
    return asyncio.run(_add_many(config, [(address, password)], add_domain))


async def _add_many(config: Config, pairs: Iterable[office.Pair], add_domain: bool) -> int:
    """The exit code: EX_DATAERR when an address has no account afterwards."""
    added = refused = 0
    async for address, reason in office.add_accounts(config, pairs, add_domain=add_domain):
        if reason is None:
            added += 1
        else:
            refused += 1
            click.echo(f"{shown(address)}: {reason}", err=True)
    click.echo(f"{added} added" + (f", {refused} not" if refused else ""))
    return EX_DATAERR if refused else 0


def read_pairs(source: BinaryIO) -> list[office.Pair]:
    """Lines `ADDRESS PASSWORD`; empty ones and those that begin with # are left out.

    All are read before the first account is made: a mistake in line 900 leaves nothing half done. Raises `Failure`.
    """
    pairs = []
    for number, line in enumerate(iter(lambda: source.readline(LONGEST_LINE), b""), 1):
        if number > MOST_LINES:
            raise Failure(f"more than {MOST_LINES} lines: give them in parts", EX_DATAERR)
        if line.strip() and not line.startswith(b"#"):
            pairs.append(_pair(line, number))
    return pairs


def _pair(line: bytes, number: int) -> office.Pair:
    address, _, password = line.lstrip().partition(b" ")
    if not password.strip():
        raise Failure(
            f"line {number}: write ADDRESS PASSWORD, one space between them; no account was added", EX_DATAERR
        )
    return text_of(address, f"line {number}"), checked_password(password, f"line {number}: the password")
