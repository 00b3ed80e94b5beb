"""A file of settings as a command plans it: what it will say is known before a byte is written."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mailhost.cli.files import replace
from mailhost.config.edit import set_value
from mailhost.config.load import OVERRIDE, convert, split_override
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import Config


@dataclass(frozen=True, slots=True)
class Settings:
    """The file as it will be, and what it says."""

    path: Path
    text: str
    config: Config

    def write(self) -> None:
        replace(self.path, self.text.encode())  # for its owner alone: a database's password may stand in it


def with_overrides(text: str, overrides: Iterable[str]) -> str:
    """The text with each `SECTION.KEY=VALUE` set. Raises `ConfigProblem` that names the one at fault."""
    for override in overrides:
        section, key, value = split_override(override)
        convert({section: {key: value}}, OVERRIDE)
        try:
            text = set_value(text, section, key, value)
        except TypeError as error:
            raise ConfigProblem(OVERRIDE, f"{section}.{key}", str(error)) from None
    return text
