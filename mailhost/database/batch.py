"""How a batch of writes runs inside one transaction: a generator, so that an engine may pause between operations."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from mailhost.database.errors import Refused
from mailhost.database.marks import ForMany, is_long, rows_of
from mailhost.database.transaction import Transaction

T = TypeVar("T")

HOT_ROWS = 48
"""Rows of hot requests that run in one piece: about 2 ms of the loop's time."""


@dataclass(frozen=True, slots=True, eq=False)
class Write(Generic[T]):
    """An operation that waits for its commit. Only the event loop touches the answer."""

    operation: Callable[..., Any]
    arguments: tuple[Any, ...]
    answer: asyncio.Future[T]

    @property
    def octets(self) -> int:
        """What a hot request brings with it; the others bring little."""
        return int(getattr(self.arguments[0], "octets", 0)) if isinstance(self.operation, ForMany) else 0

    @property
    def is_long(self) -> bool:
        return is_long(self.operation, self.arguments)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one write came to: a value, or the refusal that is its own."""

    write: Write[Any]
    value: Any

    @property
    def refused(self) -> bool:
        return isinstance(self.value, Refused)


Steps: TypeAlias = Generator[bool, None, list[Outcome]]
"""Yields before each piece whether it is a long one; ends with the outcomes."""


def run_batch(tx: Transaction, writes: Sequence[Write[Any]]) -> Steps:
    """Each write in a savepoint of its own; a hot operation needs none: it tells its refusals, and never raises one.

    They have no order among them.
    """
    outcomes: list[Outcome] = []
    for operation, group in _alike(writes).items():
        if isinstance(operation, ForMany):
            for some in _pieces(group):
                yield some[0].is_long
                outcomes += _run_hot(tx, operation, some)
        else:
            for write in group:
                yield write.is_long
                outcomes.append(Outcome(write, _run_one(tx, write)))
    return outcomes


def _alike(writes: Sequence[Write[Any]]) -> dict[Callable[..., Any], list[Write[Any]]]:
    alike: dict[Callable[..., Any], list[Write[Any]]] = defaultdict(list)
    for write in writes:
        alike[write.operation].append(write)
    return alike


def _pieces(group: list[Write[Any]]) -> Generator[list[Write[Any]]]:
    piece: list[Write[Any]] = []
    rows = 0
    for write in group:
        piece.append(write)
        rows += rows_of(write.arguments[0])
        if rows >= HOT_ROWS:
            yield piece
            piece, rows = [], 0
    if piece:
        yield piece


def _run_hot(tx: Transaction, operation: ForMany[Any, Any], group: list[Write[Any]]) -> list[Outcome]:
    values = operation(tx, [write.arguments[0] for write in group])
    tx.close_results()
    return [Outcome(write, value) for write, value in zip(group, values, strict=True)]


def _run_one(tx: Transaction, write: Write[Any]) -> Any:
    try:
        with tx.savepoint():
            return write.operation(tx, *write.arguments)
    except Refused as refusal:
        return refusal
