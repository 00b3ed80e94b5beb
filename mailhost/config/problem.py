"""What stops the start."""

from typing import Self


class ConfigProblem(Exception):
    """The settings cannot be used. One line: file, key, cure."""

    def __init__(self, source: str, key: str, cure: str) -> None:
        self.source, self.key, self.cure = source, key, cure
        super().__init__(": ".join(filter(None, (source, key, cure))).replace("\n", " "))

    def within(self, source: str) -> Self:
        """The same, with the file's name where whoever found it did not know it."""
        return type(self)(self.source or source, self.key, self.cure)
