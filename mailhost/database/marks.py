"""What an operation says of itself, so that the engines know where and how to run it."""

from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from mailhost.database.errors import Refused
from mailhost.database.transaction import Transaction

Q = TypeVar("Q")
A = TypeVar("A")
F = TypeVar("F", bound=Callable[..., Any])

_LONG: set[Callable[..., Any]] = set()
_ONE_STATEMENT: set[Callable[..., Any]] = set()


def long(operation: F) -> F:
    """Search, export, EXPUNGE of thousands: it runs in a thread, with a deadline, never in the loop's."""
    _LONG.add(operation)
    return operation


def one_statement(operation: F) -> F:
    """A read of one statement needs no snapshot: PostgreSQL runs it without BEGIN and COMMIT."""
    _ONE_STATEMENT.add(operation)
    return operation


def is_long(operation: Callable[..., Any]) -> bool:
    return operation in _LONG


def is_one_statement(operation: Callable[..., Any]) -> bool:
    return operation in _ONE_STATEMENT


class ForMany(Generic[Q, A]):
    """A hot operation: it exists only in the form for many requests; one request is a list of one.

    It answers in the order of the requests, each with its value or the `Refused` that is its own.
    """

    __slots__ = ("__name__", "_run")

    def __init__(self, run: Callable[[Transaction, Sequence[Q]], Sequence[A | Refused]]) -> None:
        self._run = run
        self.__name__ = run.__name__

    def __call__(self, tx: Transaction, requests: Sequence[Q]) -> Sequence[A | Refused]:
        return self._run(tx, requests)


def for_many(run: Callable[[Transaction, Sequence[Q]], Sequence[A | Refused]]) -> ForMany[Q, A]:
    return ForMany(run)
