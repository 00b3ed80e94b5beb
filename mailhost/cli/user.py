"""`mailhost user`: accounts; effective at once on a running server."""

import asyncio
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO

import click
import msgspec

from mailhost.cli import office
from mailhost.cli.exits import EX_DATAERR, Failure
from mailhost.cli.options import CONFIG
from mailhost.config.load import load
from mailhost.config.settings import Config

LONGEST_PASSWORD = 1024
"""Octets. Nobody types more, and each one costs the hash its time."""
LONGEST_LINE = 2048
MOST_LINES = 100_000


@click.group
def command() -> None:
    """Accounts: add, list."""


@command.command
@click.argument("address", required=False)
@click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input: its first line; a terminal is asked."
)
@click.option("--lines", is_flag=True, help="Read lines ADDRESS PASSWORD from standard input, an account each.")
@CONFIG
def add(address: str | None, password_stdin: bool, lines: bool, config_path: Path) -> int:
    """Add the account ADDRESS, or with --lines many; each with its mailboxes, on a running server too."""
    if lines in (address is not None, password_stdin):
        raise click.UsageError("give ADDRESS --password-stdin, or --lines")
    config = load(config_path)
    source = sys.stdin.buffer
    if lines:
        pairs = read_pairs(source)
    else:
        pairs = [(address or "", ask_password() if source.isatty() else read_password(source))]
    return asyncio.run(_add(config, pairs))


@command.command("list")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all.")
@CONFIG
def list_(as_json: bool, config_path: Path) -> None:
    """List the accounts."""
    found = asyncio.run(office.list_accounts(load(config_path)))
    if as_json:
        click.echo(json.dumps(msgspec.to_builtins(found)))
    else:
        click.echo("".join(f"{_address(account)}\n" for account in found), nl=False)


async def _add(config: Config, pairs: Iterable[office.Pair]) -> int:
    """The exit code: EX_DATAERR when an address has no account afterwards."""
    added = refused = 0
    async for address, reason in office.add_accounts(config, pairs):
        if reason is None:
            added += 1
        else:
            refused += 1
            click.echo(f"{address}: {reason}", err=True)
    click.echo(f"{added} added" + (f", {refused} not" if refused else ""))
    return EX_DATAERR if refused else 0


def read_password(source: BinaryIO) -> str:
    """The first line. Raises `Failure`."""
    return _checked_password(source.readline(LONGEST_LINE), "the password")


def ask_password() -> str:
    """A person at a terminal is asked, and what he types is not shown. Raises `Failure`."""
    typed = click.prompt("Password", hide_input=True, err=True, default="", show_default=False)
    return _checked_password(typed.encode(errors="surrogateescape"), "the password")


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
        raise Failure(f"line {number}: write ADDRESS PASSWORD, one space between them", EX_DATAERR)
    return _text(address, f"line {number}"), _checked_password(password, f"line {number}: the password")


def _checked_password(line: bytes, what: str) -> str:
    """A password never appears in what is said about it."""
    password = line.rstrip(b"\r\n")
    if not password:
        raise Failure(f"{what} is empty", EX_DATAERR)
    if len(password) > LONGEST_PASSWORD:
        raise Failure(f"{what} is longer than {LONGEST_PASSWORD} octets", EX_DATAERR)
    return _text(password, what)


def _text(octets: bytes, what: str) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Failure(f"{what} is not written in UTF-8", EX_DATAERR) from None


def _address(account: Any) -> str:
    return str(getattr(account, "address", account))
