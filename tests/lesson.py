"""A page for students, read as what it asks them to type and what it says that they will see.

    ```console                  `$ scripts/run ...` starts the server; of other commands the output follows
    ```dialogue                 `$ telnet localhost 2525` opens a window (`2$` the second one); C: is typed, S: is read
    ```wire                     what the first terminal shows, without the time before each line

`<name>` stands for something that differs from machine to machine; the same name means the same thing again, but for those in FREE.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FREE = frozenset({"day", "time", "ms", "port", "octets"})
VARIABLE = re.compile(r"<([a-z_]+)>")


@dataclass(frozen=True)
class Block:
    """A fenced part of the page."""

    kind: str
    at: int
    """The number of its first line."""
    lines: list[str]
    below: str
    """The text up to the next block or heading."""


def blocks(page: Path) -> Iterator[Block]:
    lines = page.read_text(encoding="utf-8").splitlines()
    fences = [number for number, line in enumerate(lines) if line.startswith("```")]
    for start, end in zip(fences[::2], fences[1::2], strict=True):
        rest = lines[end + 1 :]
        stop = next((number for number, line in enumerate(rest) if line.startswith(("```", "#"))), len(rest))
        yield Block(lines[start].removeprefix("```"), start + 2, lines[start + 1 : end], "\n".join(rest[:stop]))


class Names:
    """What the words in angle brackets stand for, as far as it is known."""

    def __init__(self) -> None:
        self.known: dict[str, str] = {}

    def filled(self, line: str) -> str:
        """A line to type. Raises KeyError for a name that nothing has told yet."""
        return VARIABLE.sub(lambda found: self.known[found[1]], line)

    def fits(self, wanted: str, line: str) -> bool:
        """Whether the line is what the page says; what is new in it is known from now on."""
        pattern, new, end = "", list[str](), 0
        for found in VARIABLE.finditer(wanted):
            name = found[1]
            pattern += re.escape(wanted[end : found.start()])
            end = found.end()
            if name in self.known:
                pattern += re.escape(self.known[name])
            elif name in new:
                pattern += f"(?P={name})"
            elif name in FREE:
                pattern += ".+?"
            else:
                new.append(name)
                pattern += f"(?P<{name}>.+?)"
        match = re.fullmatch(pattern + re.escape(wanted[end:]), line)
        if match is not None:
            self.known.update(match.groupdict())
        return match is not None
