"""Set one value in a file that a person keeps: what else stands there, comments included, stays."""

import itertools
import re

from mailhost.config.manual import to_toml
from mailhost.config.units import Duration, Octets


def set_value(text: str, section: str, key: str, value: object) -> str:
    """The text with `key` of `section` set. The caller reads the outcome again before it keeps it."""
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n") if text else []
    line = f"{key} = {_written(value)}"
    table = _table(lines, section)
    if table is None:
        lines += ["", f"[{section}]"] if lines else [f"[{section}]"]
        table = range(len(lines), len(lines))
    place = next((at for at in table if re.match(rf"\s*{re.escape(key)}\s*=", lines[at])), None)
    if place is None:
        lines.insert(table.start, line)
    else:
        lines[place] = line
    return "\n".join(lines) + "\n"


def _table(lines: list[str], section: str) -> range | None:
    """Where the lines below the header of a table are, up to the next header."""
    headers = [at for at, line in enumerate(lines) if re.match(r"\s*\[", line)]
    for at, following in itertools.pairwise([*headers, len(lines)]):
        if re.fullmatch(rf"\s*\[\s*{re.escape(section)}\s*\]\s*(#.*)?", lines[at]):
            return range(at + 1, following)
    return None


def _written(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_written, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{to_toml(name)} = {_written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, float | str | int | Duration | Octets):
        return to_toml(value)
    raise TypeError(f"no setting holds a {type(value).__name__}")
