"""What may be long is printed as it comes: an array of JSON in pieces."""

import json
from typing import Any

import click


class JSONList:
    """One line, whatever its length."""

    def __init__(self) -> None:
        self._begun = False

    def add(self, value: Any) -> None:
        click.echo(", " if self._begun else "[", nl=False)
        click.echo(json.dumps(value), nl=False)
        self._begun = True

    def end(self) -> None:
        click.echo("]" if self._begun else "[]")
