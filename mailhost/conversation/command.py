"""What a command is: its name, where it is allowed, how it reads, what it does."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

S = TypeVar("S")
R = TypeVar("R")
A = TypeVar("A")


class SyntaxProblem(Exception):
    """What was sent does not read as the grammar says; the text says what was expected."""


@dataclass(frozen=True)  # no slots: Python 3.11 cannot call a subscripted alias of such a class
class Command(Generic[S, R, A]):
    """One verb of a protocol, over the session S, the reader of its arguments R and the answer A."""

    name: str
    states: frozenset[Any]
    """The states of the session in which it may be given."""
    parse: Callable[[R], Any]
    """Reads the arguments; raises `SyntaxProblem`."""
    run: Callable[[S, Any], Awaitable[A]]
    by_uid: bool = False
    """IMAP: may follow UID (RFC 3501 section 6.4.8)."""
    streams: bool = False
    """IMAP: reads its last literal itself."""
    rfc: int = 0
