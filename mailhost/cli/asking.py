"""What a command asks of the person at the terminal, and how it reads what was written; the same in all commands."""

import sys
from typing import TYPE_CHECKING, BinaryIO

import click

from mailhost.cli.exits import EX_DATAERR, EX_USAGE, Failure

if TYPE_CHECKING:
    from mailhost.message.address import Address

LONGEST_PASSWORD = 1024
"""Octets. Nobody types more, and each one costs the hash its time."""
LONGEST_LINE = 2048
YES = click.option("--yes", is_flag=True, help="Don't ask. Needed where nobody is at a terminal.")
PASSWORD_STDIN = click.option(
    "--password-stdin", is_flag=True, help="Read the password from standard input: its first line; a terminal is asked."
)


def parsed(written: str) -> "Address":
    """Raises `Failure`."""
    from mailhost.message.address import AddressProblem, parse_address

    try:
        return parse_address(written.encode(errors="surrogateescape"))
    except AddressProblem as problem:
        raise Failure(f"{shown(written)}: {problem}; write NAME@DOMAIN", EX_DATAERR) from None


def parsed_domain(written: str) -> str:
    """Raises `Failure`."""
    from mailhost.message.address import AddressProblem, parse_domain

    try:
        return parse_domain(written.strip())
    except AddressProblem as problem:
        cure = "give what stands after the @" if "@" in written else "write it as in example.org"
        raise Failure(f"{shown(written)}: {problem}; {cure}", EX_DATAERR) from None


def shown(written: str) -> str:
    """What somebody typed, as far as it can be repeated in one line."""
    text = "".join(character if character.isprintable() else "?" for character in written.strip())
    return text or "nothing was given"


def password_for(address: str, from_stdin: bool) -> str:
    """Asked twice at a terminal; else the first line of standard input, where the command line says so. Raises `Failure`."""
    if sys.stdin.isatty():
        return ask_password(f"Password for {shown(address)}", twice=True)
    if not from_stdin:
        raise Failure("no terminal to ask for the password: give it on standard input, with --password-stdin", EX_USAGE)
    return read_password(sys.stdin.buffer)


def ask_password(question: str, *, twice: bool = False) -> str:
    """What is typed is not shown; a new one is typed twice. Raises `Failure`."""
    again = "Once more" if twice else False
    typed = click.prompt(question, hide_input=True, confirmation_prompt=again, err=True, default="", show_default=False)
    return checked_password(typed.encode(errors="surrogateescape"), "the password")


def read_password(source: BinaryIO) -> str:
    """The first line. Raises `Failure`."""
    return checked_password(source.readline(LONGEST_LINE), "the password")


def checked_password(line: bytes, what: str) -> str:
    """A password never appears in what is said about it."""
    password = line.rstrip(b"\r\n")
    if not password:
        raise Failure(f"{what} is empty", EX_DATAERR)
    if len(password) > LONGEST_PASSWORD:
        raise Failure(f"{what} is longer than {LONGEST_PASSWORD} octets", EX_DATAERR)
    if b"\0" in password:
        raise Failure(f"{what} has NUL in it, which no client can send", EX_DATAERR)
    return text_of(password, what)


def text_of(octets: bytes, what: str) -> str:
    try:
        return octets.decode()
    except UnicodeDecodeError:
        raise Failure(f"{what} is not written in UTF-8", EX_DATAERR) from None


def confirm(question: str) -> None:
    """Raises `Abort` for a no; where nobody can be asked the command line must say --yes."""
    if not sys.stdin.isatty():
        raise Failure("no terminal to ask whether you are sure: say --yes", EX_USAGE)
    click.confirm(question, abort=True, err=True)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 message`, `1,234 messages`, `2 mailboxes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
