"""A transaction, as operations see it."""

from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from sqlalchemy import Connection, CursorResult, Executable

from mailhost.database.errors import CommitFailed, Refused
from mailhost.database.hot import Hot


def _unhurried() -> None:
    """Most operations are short, and have no deadline of their own."""


class Driver(Protocol):
    """The engine's own way for statements that are text already: what SQLAlchemy adds to them costs more than they do."""

    def run(self, sql: str) -> None: ...
    def run_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None: ...
    def rows(self, sql: str, values: tuple[Any, ...]) -> Sequence[Sequence[Any]]: ...


class CoreDriver:
    """By way of SQLAlchemy's connection, for an engine that has no shorter one."""

    __slots__ = ("_sql",)

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def run(self, sql: str) -> None:
        self._sql.exec_driver_sql(sql)

    def run_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        self._sql.exec_driver_sql(sql, list(rows)).close()

    def rows(self, sql: str, values: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        return [tuple(row) for row in self._sql.exec_driver_sql(sql, values)]


class Transaction:
    """What an operation sees of the database, for as long as it runs. It acts through this alone, for it may run twice."""

    __slots__ = ("_driver", "_hurry", "_in_transaction", "_results", "_sql", "changes")

    def __init__(
        self,
        connection: Connection,
        in_transaction: Callable[[], bool],
        hurry: Callable[[], None] = _unhurried,
        driver: Driver | None = None,
    ) -> None:
        """`hurry` is called before each statement, and raises when the operation's time is over."""
        self.changes: list[object] = []
        self._sql = connection
        self._driver = driver or CoreDriver(connection)
        self._in_transaction = in_transaction
        self._hurry = hurry
        self._results: list[CursorResult[Any]] = []

    def execute(self, statement: Executable, parameters: Any = None) -> CursorResult[Any]:
        self._hurry()
        result = self._sql.execute(statement, parameters)
        self._results.append(result)
        return result

    def many(self, statement: Hot, rows: Sequence[tuple[Any, ...]]) -> None:
        """A hot statement, compiled once, for many rows: plain tuples of int, bytes, str and None."""
        if rows:
            self._hurry()
            sql, arrange = statement.compiled(self._sql.dialect)
            self._driver.run_many(sql, arrange(rows))

    def rows(self, statement: Hot, values: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        """What a hot statement selects: all rows, as plain tuples in the order of its columns."""
        self._hurry()
        sql, arrange = statement.compiled(self._sql.dialect)
        return self._driver.rows(sql, arrange([values])[0])

    def found(self, statement: Hot, *values: Any) -> list[Any]:
        """What a hot statement selects, as `execute` gives it: rows that have their columns by name."""
        return list(map(statement.row, self.rows(statement, values)))

    def announce(self, change: object) -> None:
        """Tell the other sessions, once this is committed."""
        self.changes.append(change)

    def close_results(self) -> None:
        """A result left open pins the snapshot of its connection: every later read would be stale."""
        while self._results:
            self._results.pop().close()

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """A `Refused` undoes what was done inside, and what it announced. Any other error is the whole batch's.

        Always the same name: a new one each time would fill the driver's cache of statements.
        """
        announced = len(self.changes)
        self._driver.run("SAVEPOINT operation")
        try:
            yield
        except Refused:
            self._leave("ROLLBACK TO SAVEPOINT operation", "RELEASE SAVEPOINT operation")
            del self.changes[announced:]
            raise
        self._leave("RELEASE SAVEPOINT operation")

    def check(self) -> None:
        """A full disk makes SQLite undo the whole transaction, and later statements would commit alone."""
        if not self._in_transaction():
            raise CommitFailed("the engine has undone the transaction")

    def _leave(self, *statements: str) -> None:
        self.close_results()
        self.check()
        for statement in statements:
            self._driver.run(statement)
