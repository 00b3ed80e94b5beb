"""`mailhost user list`: who has an account, and how much is in it."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mailhost.cli import office
from mailhost.cli.options import CONFIG
from mailhost.config.load import load

if TYPE_CHECKING:
    from mailhost.administration.accounts import Listed


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON for all, with what each account holds.")
@CONFIG
def command(as_json: bool, config_path: Path) -> None:
    """List the accounts; which are disabled is said."""
    from mailhost.administration import accounts

    found = asyncio.run(office.asked(load(config_path), accounts.list_with_totals))
    if as_json:
        click.echo(json.dumps([_value(each) for each in found]))
    else:
        click.echo("".join(f"{_line(each)}\n" for each in found), nl=False)


def _line(each: "Listed") -> str:
    from mailhost.message.address import readable

    state = _state(each)
    return readable(each.account.address) + (f"  {state}" if state else "")


def _state(each: "Listed") -> str:
    if each.account.leaving:
        return "being deleted: `mailhost user delete` finishes it"
    return "disabled" if each.account.disabled else ""


def _value(each: "Listed") -> dict[str, Any]:
    its, totals = each.account, each.totals
    return {
        "address": its.address,
        "disabled": its.disabled,
        "deleting": its.leaving,
        "mailboxes": totals.mailboxes,
        "messages": totals.messages,
        "unseen": totals.unseen,
        "octets": totals.octets,
    }
