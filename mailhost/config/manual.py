"""etc/mailhost.toml, made from the declarations: every setting with its default, its unit, its bounds and its reason."""

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mailhost.config import settings
from mailhost.config.load import bounds, hints, sections
from mailhost.config.settings import Config, Section
from mailhost.config.units import Duration, Octets

WIDTH = 118
PREAMBLE = """\
# Settings of mailhost. Made from mailhost/config/settings.py by scripts/settings; each stands here with its default.
# Take the # away from a line to set it. `mailhost config check` tells what is wrong; an unknown key stops the start.
# A duration is written "250ms", "30s", "5m", "24h" or "7d", a number of octets "64KiB", "50MiB" or 65536.
"""


def example() -> str:
    """The whole file."""
    return PREAMBLE + "".join(_table(name, section) for name, section in sections(Config()))


def dump(config: Config, default: Config | None = None) -> str:
    """The settings in force, as a file that gives them again, those that differ from `default` marked; a database's password is masked."""
    return "\n".join(
        f"[{name}]\n{_lines(section, default and getattr(default, name))}" for name, section in sections(config)
    )


def values(config: Config, default: Config) -> Iterator[dict[str, Any]]:
    """The same for programs: each setting with its value, its default, and whether they differ."""
    for name, section in sections(config):
        for key in section.__struct_fields__:
            value, usual = (_builtin(_masked(getattr(each, key))) for each in (section, getattr(default, name)))
            yield {"section": name, "key": key, "value": value, "default": usual, "differs": value != usual}


def _builtin(value: object) -> object:
    """Numbers and texts, as the file has them."""
    if isinstance(value, bool):
        return value
    if isinstance(value, Octets | Duration | Path):
        return str(value)
    return list(map(_builtin, value)) if isinstance(value, tuple) else value


def to_toml(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int) and not isinstance(value, Octets):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_toml(name)} = {to_toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(to_toml, value))}]"
    return '"' + "".join(_escaped(character) for character in str(value)) + '"'


def shown(value: object) -> str:
    """The same for people: the password of a database is masked."""
    return to_toml(_masked(value))


def _escaped(character: str) -> str:
    if character in '\\"':
        return "\\" + character
    return character if character.isprintable() else f"\\U{ord(character):08x}"


def _lines(section: Section, default: Section | None) -> str:
    return "".join(
        f"{key} = {shown(getattr(section, key))}{_mark(section, default, key)}\n" for key in section.__struct_fields__
    )


def _mark(section: Section, default: Section | None, key: str) -> str:
    """A comment that a person's eye finds."""
    usual = getattr(default, key, None)
    return "" if default is None or getattr(section, key) == usual else f"  # default: {shown(usual)}"


def _masked(value: object) -> object:
    if not isinstance(value, str):
        return value
    return re.sub(r"(?i)(password=)[^&]*", r"\1...", re.sub(r"(?<=://)([^/@:]*):.*@", r"\1:...@", value))


def _table(name: str, section: Section) -> str:
    kind = type(section)
    return f"\n{_comment(inspect.getdoc(kind) or '')}[{name}]\n" + "".join(
        f"\n{_comment(f'{reason(kind, key)} [{unit(hint)}]')}# {key} = {to_toml(getattr(section, key))}\n"
        for key, hint in hints(kind).items()
    )


def _comment(text: str) -> str:
    return (
        textwrap.fill(
            " ".join(text.split()), WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
        )
        + "\n"
    )


UNITS: Mapping[Any, str] = {
    Duration: "duration",
    Octets: "octets",
    Path: "path",
    bool: "true or false",
    int: "number",
    str: "text",
}
COLLECTIONS: Mapping[Any, str] = {tuple: "list", dict: "table"}


def unit(hint: Any) -> str:
    plain = hint.__origin__ if hasattr(hint, "__metadata__") else hint
    collection = COLLECTIONS.get(getattr(plain, "__origin__", plain))
    if collection:
        named = f"{collection} of {UNITS[next(each for each in reversed(plain.__args__) if each is not ...)]}s"
    else:
        named = UNITS.get(plain) or " or ".join(to_toml(choice) for choice in plain.__args__)
    limits = [
        str(bound) for bound in bounds(hint) if getattr(bound, "bound", True)
    ]  # that nothing is negative goes without saying
    return ", ".join([named, *limits])


def reason(section: type[Section], key: str) -> str:
    return next(texts[key] for kind in section.__mro__ if key in (texts := _reasons().get(kind.__name__, {})))


@cache
def _reasons() -> Mapping[str, Mapping[str, str]]:
    """The text below each setting, taken from the source."""
    tree = ast.parse(inspect.getsource(settings))
    return {node.name: dict(_documented(node.body)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _documented(body: list[ast.stmt]) -> Iterator[tuple[str, str]]:
    for declared, below in itertools.pairwise(body):
        match declared, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, text
