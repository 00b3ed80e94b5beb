"""Hot statements: written in Core, compiled once for each engine, run by the driver with plain tuples."""

from collections import namedtuple
from collections.abc import Callable, Sequence
from functools import cached_property
from operator import itemgetter
from typing import Any

from sqlalchemy import Dialect, Select
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.elements import ClauseElement

Rows = Sequence[tuple[Any, ...]]
Arrange = Callable[[Rows], Any]


class Hot:
    """A statement for `Transaction.many`, `rows` and `found`; `names` are its bound parameters in the order of each row's values."""

    def __init__(self, statement: Executable, *names: str) -> None:
        self._statement = statement
        self._names = names
        self._compiled: dict[str, tuple[str, Arrange]] = {}

    def compiled(self, dialect: Dialect) -> tuple[str, Arrange]:
        """The driver's own text, and what brings rows into the order of its markers."""
        if dialect.name not in self._compiled:
            self._compiled[dialect.name] = self._compile(dialect)
        return self._compiled[dialect.name]

    @cached_property
    def row(self) -> Callable[[Sequence[Any]], Any]:
        """What makes a row of a SELECT one whose columns have their names."""
        assert isinstance(self._statement, Select)
        kind: Any = namedtuple("Row", [*self._statement.selected_columns.keys()])  # type: ignore[misc]  # noqa: PYI024 - the names are those of the statement
        make: Callable[[Sequence[Any]], Any] = kind._make
        return make

    def _compile(self, dialect: Dialect) -> tuple[str, Arrange]:
        assert isinstance(self._statement, ClauseElement)
        compiled = self._statement.compile(dialect=dialect, column_keys=list(self._names))
        order = tuple(getattr(compiled, "positiontup", None) or ())
        constants = {name: value for name, value in compiled.params.items() if name not in self._names}
        return str(compiled), _arrangement(self._names, order, constants)


def _arrangement(names: tuple[str, ...], order: tuple[str, ...], constants: dict[str, Any]) -> Arrange:
    """Compiling loses literals (they become parameters), and a driver may want an order of its own: mend both."""
    if order == names:
        return list
    extra = tuple(constants[name] for name in order if name in constants)
    everything = (*names, *(name for name in order if name in constants))
    places = [everything.index(name) for name in order]
    pick = itemgetter(*places) if len(places) > 1 else lambda row: (row[places[0]],)
    return lambda rows: [pick(row + extra) for row in rows]
