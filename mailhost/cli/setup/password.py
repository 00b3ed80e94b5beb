"""The administrator's password: read, or asked for twice; where nobody is there to ask, none is chosen."""

import io
import sys

import click

from mailhost.cli.asking import read_password


def chosen(address: str, *, from_stdin: bool, terminal: bool) -> str | None:
    """None where one is to be made. Raises `Failure`."""
    if from_stdin and not terminal:
        return read_password(sys.stdin.buffer)
    if not terminal:
        return None
    typed = click.prompt(
        f"Password for {address} (empty: one is made)",
        hide_input=True,
        confirmation_prompt="Once more",
        err=True,
        default="",
        show_default=False,
    )
    return read_password(io.BytesIO(typed.encode(errors="surrogateescape"))) if typed else None
