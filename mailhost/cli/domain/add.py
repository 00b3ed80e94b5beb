"""`mailhost domain add`."""

import asyncio
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.asking import parsed_domain
from mailhost.cli.options import CONFIG
from mailhost.config.load import load


@click.command("add")
@click.argument("name")
@CONFIG
def command(name: str, config_path: Path) -> None:
    """Keep mail for the domain NAME.

    Its first account gets the mail for its postmaster too (RFC 5321 section 4.5.1).
    """
    from mailhost.administration import domains

    config, wanted = load(config_path), parsed_domain(name)
    kept = asyncio.run(office.asked(config, domains.add_domain, wanted))
    as_kept = "" if kept == name else f" (kept as {kept})"
    click.echo(f"{name}: added{as_kept}; its first account will get the mail for postmaster@{name} too")
