"""`mailhost domain`: the domains whose mail this server keeps."""

import asyncio
from pathlib import Path

import click

from mailhost.cli import office
from mailhost.cli.options import CONFIG
from mailhost.config.load import load


@click.group
def command() -> None:
    """Domains: add, list."""


@command.command
@click.argument("name")
@CONFIG
def add(name: str, config_path: Path) -> None:
    """Keep mail for the domain NAME; its postmaster comes with it."""
    asyncio.run(office.add_domain(load(config_path), name))


@command.command("list")
@CONFIG
def list_(config_path: Path) -> None:
    """List the domains."""
    click.echo("".join(f"{name}\n" for name in asyncio.run(office.list_domains(load(config_path)))), nl=False)
