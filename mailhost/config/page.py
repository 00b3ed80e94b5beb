"""docs/settings.md, made from the declarations: a table for each section, for whoever reads rather than edits."""

import inspect
from collections.abc import Iterator

from mailhost.config.load import hints, sections
from mailhost.config.manual import reason, shown, unit
from mailhost.config.reload import is_reloaded
from mailhost.config.settings import Config, Section

HEAD = """\
# Settings

Made by `scripts/settings` from `mailhost/config/settings.py`; `scripts/check` tells when it is not current.
[etc/mailhost.toml](../etc/mailhost.toml) is the same as a file to edit; `mailhost config example` prints it, `mailhost config check` finds
what is wrong with yours, `mailhost config show` prints what is in force.

A duration is written `"250ms"`, `"30s"`, `"5m"`, `"24h"` or `"7d"`, a number of octets `"64KiB"`, `"50MiB"` or `65536`. Relative paths of
`server` count from the file's folder, those of `tls` from `server.data`.

At SIGHUP (`systemctl reload mailhost`) the server reads its file anew. Where the column says yes, new connections go by the new value at
once, and open ones keep what they began with; the others wait for the next start, and the log names them. A file with a mistake changes
nothing.
"""


def page() -> str:
    """The whole page."""
    return HEAD + "".join(_chapter(name, section) for name, section in sections(Config()))


def _chapter(name: str, section: Section) -> str:
    head = f"\n## [{name}]\n\n{_flowing(inspect.getdoc(type(section)) or '')}\n\n"
    return head + "| Key | Default | Value | SIGHUP | |\n|---|---|---|---|---|\n" + "".join(_rows(name, section))


def _rows(name: str, section: Section) -> Iterator[str]:
    kind = type(section)
    for key, hint in hints(kind).items():
        reloaded = "yes" if is_reloaded(f"{name}.{key}") else "at restart"
        cells = (f"`{key}`", f"`{shown(getattr(section, key))}`", unit(hint), reloaded, reason(kind, key))
        yield "| " + " | ".join(_flowing(cell).replace("|", "\\|") for cell in cells) + " |\n"


def _flowing(text: str) -> str:
    return " ".join(text.split())
