"""Options that several commands share."""

from pathlib import Path

import click

CONFIG = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, readable=False),  # whoever reads it says in one line why he cannot
    default=Path("/etc/mailhost.toml"),
    show_default=True,
    envvar="MAILHOST_CONFIG",
    show_envvar=True,
    help="The file of settings.",
)
SET = click.option(
    "--set",
    "overrides",
    multiple=True,
    metavar="SECTION.KEY=VALUE",
    help="A setting that counts more than the file's; VALUE is a TOML value, else a text. May be given more than once.",
)
WIRE = click.option(
    "--wire",
    is_flag=False,
    flag_value="headers",
    type=click.Choice(["headers", "full"]),
    help="Print every dialogue on standard error, secrets masked; of messages the headers, with --wire=full all lines.",
)
