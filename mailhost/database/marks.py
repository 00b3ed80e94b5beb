"""What an operation says of itself, so that the engines know where and how to run it."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from mailhost.database.errors import Refused
from mailhost.database.transaction import Transaction

Q = TypeVar("Q")
A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])

LONG_ROWS = 500
"""An operation on more rows than these is a long one: the loop's thread would be held for more than some milliseconds."""

_ROWS: dict[Callable[..., Any], Callable[..., int]] = {}
_ONE_STATEMENT: set[Callable[..., Any]] = set()


def long(operation: F) -> F:
    """Search, export, the whole of a mailbox: it runs in a thread, with a deadline, never in the loop's."""
    _ROWS[operation] = lambda *_: LONG_ROWS + 1
    return operation


def long_by(rows: Callable[..., int]) -> Callable[[F], F]:
    """Long when its arguments make it so: `rows` counts from them what the operation will touch."""

    def mark(operation: F) -> F:
        _ROWS[operation] = rows
        return operation

    return mark


def one_statement(operation: F) -> F:
    """A read of one statement needs no snapshot: PostgreSQL runs it without BEGIN and COMMIT."""
    _ONE_STATEMENT.add(operation)
    return operation


def is_long(operation: Callable[..., Any], arguments: tuple[Any, ...]) -> bool:
    if isinstance(operation, ForMany):
        return rows_of(arguments[0]) > LONG_ROWS
    rows = _ROWS.get(operation)
    return rows is not None and rows(*arguments) > LONG_ROWS


def is_one_statement(operation: Callable[..., Any]) -> bool:
    return operation in _ONE_STATEMENT


def rows_of(request: object) -> int:
    """How many rows a hot request touches, where it says so."""
    return int(getattr(request, "rows", 1))


class ForMany(Generic[Q, A]):
    """A hot operation: it exists only in the form for many requests; one request is a list of one.

    It answers in the order of the requests, each with its value or the `Refused` that is its own.
    A request may tell its `octets` and its `rows`, by which batches and pieces are measured.
    """

    __slots__ = ("__name__", "_run")

    def __init__(self, run: Callable[[Transaction, Sequence[Q]], Sequence[A | Refused]]) -> None:
        self._run = run
        self.__name__ = run.__name__

    def __call__(self, tx: Transaction, requests: Sequence[Q]) -> Sequence[A | Refused]:
        return self._run(tx, requests)


def for_many(run: Callable[[Transaction, Sequence[Q]], Sequence[A | Refused]]) -> ForMany[Q, A]:
    return ForMany(run)
