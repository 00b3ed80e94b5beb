"""PostgreSQL 14 or newer, by asyncpg: operations are the same plain functions, run by SQLAlchemy's `run_sync`."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, NullPool, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.util import await_only

from mailhost.database.batch import Outcome, Steps
from mailhost.database.errors import CommitFailed, DatabaseUnsafe, RunAgain
from mailhost.database.marks import is_long, is_one_statement
from mailhost.database.transaction import Transaction

T = TypeVar("T")

RUN_AGAIN = {"40001", "40P01"}
TROUBLE_CLASSES = {"08", "25", "40", "53", "54", "55", "57", "58", "XX"}
"""Classes of SQLSTATE that are the database's own trouble, not the operation's fault."""
SETTLE_TRIES = 20
SETTLE_PAUSE = 0.25
ANSWER_SECONDS = 5.0
"""How much longer than the server's own deadline we wait for its answer, before the connection counts as broken."""
STATUS = text("SELECT pg_xact_status(CAST(CAST(:number AS text) AS xid8))")
END_ITS_BACKEND = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE CAST(backend_xid AS text) = CAST(CAST(CAST(:number AS text) AS xid8) AS xid)::text AND pid <> pg_backend_pid()"
)


@dataclass(frozen=True, slots=True)
class PostgreSQLLimits:
    readers: int = 8
    connect: timedelta = timedelta(seconds=5)
    lock: timedelta = timedelta(seconds=5)
    statement: timedelta = timedelta(seconds=30)
    long_statement: timedelta = timedelta(seconds=60)


class PostgreSQLEngine:
    """One connection writes, some read; all of them on the primary."""

    def __init__(self, url: str, limits: PostgreSQLLimits | None = None) -> None:
        self._limits = limits or PostgreSQLLimits()
        connect = {
            "server_settings": _server_settings(self._limits),
            "timeout": self._limits.connect.total_seconds(),
            "command_timeout": self._limits.long_statement.total_seconds() + ANSWER_SECONDS,
        }
        self._pool: AsyncEngine = create_async_engine(
            url,
            pool_size=self._limits.readers,
            max_overflow=0,
            pool_timeout=self._limits.statement.total_seconds(),
            connect_args=connect,
            hide_parameters=True,
        )
        self._writers: AsyncEngine = create_async_engine(
            url, poolclass=NullPool, connect_args=connect, hide_parameters=True
        )
        self._writer: AsyncConnection | None = None

    async def open(self) -> None:
        """Raises `DatabaseUnsafe` where a commit would be answered before it is durable, `CommitFailed` if there is no server."""
        try:
            async with self._pool.connect() as connection:
                await _refuse_unsafe(connection)
        except DatabaseUnsafe:
            await self._pool.dispose()
            raise
        except Exception as error:
            await self._pool.dispose()
            where = self._pool.url.render_as_string(hide_password=True)
            raise CommitFailed(
                f"database.url: {where}: {_first_line(error)}; is it running, and is the URL right?"
            ) from error

    async def read(self, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        try:
            return await self._read(operation, arguments)
        except Exception as error:
            if not _is_lost(error):
                raise _verdict(error) from error
        try:  # a connection that died in the pool: a read may be asked again
            return await self._read(operation, arguments)
        except Exception as error:
            raise _verdict(error) from error

    async def transact(self, work: Callable[[Transaction], Steps]) -> tuple[list[Outcome], list[object]]:
        try:
            number, writer = await self._begin()
            outcomes, changes = await writer.run_sync(_run, work, self._limits)
        except BaseException as error:
            await self._roll_back()
            raise _verdict(error) from error
        try:
            await writer.commit()
        except BaseException as error:
            await self._drop()
            if not await self._was_committed(number):
                raise _verdict(error, CommitFailed) from error
        return outcomes, changes

    async def rest(self) -> None:
        """PostgreSQL makes its own checkpoints."""

    async def close(self) -> None:
        await self._drop()
        await self._pool.dispose()

    async def _read(self, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        if is_one_statement(operation):
            isolation: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
        else:
            isolation = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        async with self._pool.connect() as connection:
            await connection.execution_options(**isolation)
            if is_long(operation, arguments):
                await connection.exec_driver_sql(_more_time(self._limits))
            return await connection.run_sync(_run_read, operation, arguments)

    async def _begin(self) -> tuple[str, AsyncConnection]:
        """Opens the transaction, and takes its number: what settles a COMMIT that was not answered."""
        if self._writer is not None:
            try:
                return await _number(self._writer), self._writer
            except Exception as error:
                if not _is_lost(error):
                    raise
                await self._drop()  # it died while nobody wrote: nothing was begun on it
        self._writer = await self._writers.connect()  # a fresh one: in a pool others may have died too
        return await _number(self._writer), self._writer

    async def _was_committed(self, number: str) -> bool:
        """What became of a transaction whose COMMIT was sent on a connection that broke.

        The server may not have noticed yet ('in progress'): then its end of the connection is closed for it, or the COMMIT might
        still come after our answer. Nobody to ask: not known, so not OK.
        """
        for _ in range(SETTLE_TRIES):
            status = await self._status(number)
            if status in ("committed", "aborted"):
                return status == "committed"
            await asyncio.sleep(SETTLE_PAUSE)
        return False

    async def _status(self, number: str) -> str | None:
        try:
            async with self._pool.connect() as connection:
                status: str | None = (await connection.execute(STATUS, {"number": number})).scalar_one()
                if status == "in progress":
                    await connection.execute(END_ITS_BACKEND, {"number": number})
        except Exception:  # noqa: BLE001 - whatever it is, it is no answer
            return None
        return status

    async def _roll_back(self) -> None:
        if self._writer is not None:
            try:
                await self._writer.rollback()
            except BaseException:  # noqa: BLE001 - a connection that cannot even roll back is dropped
                await self._drop()
            else:
                if self._writer.closed or self._writer.invalidated:
                    await self._drop()

    async def _drop(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            try:
                await writer.invalidate()
                await writer.close()
            except Exception:  # noqa: BLE001, S110 - it is dropped either way
                pass


async def _number(writer: AsyncConnection) -> str:
    return str((await writer.exec_driver_sql("SELECT pg_current_xact_id()::text")).scalar_one())


async def _refuse_unsafe(connection: AsyncConnection) -> None:
    for name in ("synchronous_commit", "fsync"):
        if (await connection.execute(text(f"SHOW {name}"))).scalar_one() == "off":
            raise DatabaseUnsafe(f"PostgreSQL runs with {name}=off: acknowledged mail could be lost. Set it to on.")


def _run_read(connection: Connection, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    tx = Transaction(connection, lambda: True)
    try:
        return operation(tx, *arguments)
    finally:
        tx.close_results()


def _run(
    connection: Connection, work: Callable[[Transaction], Steps], limits: PostgreSQLLimits
) -> tuple[list[Outcome], list[object]]:
    """All pieces in one go: each statement waits in its greenlet, and the loop goes on."""
    driver = PostgreSQLDriver(connection)
    tx = Transaction(connection, lambda: not connection.invalidated and driver.is_in_transaction(), driver=driver)
    steps = work(tx)
    try:
        while True:
            if next(steps):
                connection.exec_driver_sql(_more_time(limits))
            tx.check()
    except StopIteration as stop:
        tx.check()
        return stop.value, tx.changes
    finally:
        tx.close_results()


class PostgreSQLDriver:
    """Straight to asyncpg, inside a transaction that SQLAlchemy has begun: it would add 60 us to each statement."""

    __slots__ = ("_driver",)

    def __init__(self, connection: Connection) -> None:
        self._driver: Any = connection.connection.driver_connection

    def run(self, sql: str) -> None:
        await_only(self._driver.execute(sql))

    def run_many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        await_only(self._driver.executemany(sql, rows))

    def rows(self, sql: str, values: tuple[Any, ...]) -> Sequence[Sequence[Any]]:
        found: Sequence[Sequence[Any]] = await_only(self._driver.fetch(sql, *values))
        return found

    def is_in_transaction(self) -> bool:
        return bool(self._driver.is_in_transaction())


def _is_lost(error: BaseException) -> bool:
    """Whether the connection broke, as against a statement that failed."""
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _state(error)[:2] in ("08", "57")
    return (
        isinstance(error, OSError | PendingRollbackError)
        or _state(error)[:2] in ("08", "57")
        or _is_client_trouble(error)
    )


def _is_client_trouble(error: BaseException) -> bool:
    """The driver's own, such as a connection that is closed; a value that it cannot send is the operation's fault."""
    from asyncpg.exceptions import InterfaceError, InternalClientError  # is not there for those who use SQLite only

    return isinstance(error, InterfaceError | InternalClientError) and not isinstance(error, ValueError)


def _verdict(error: BaseException, fault: type[Exception] | None = None) -> BaseException:
    """Run it again, the database's own trouble, or the fault of an operation (which stays as it is)."""
    state = _state(error)
    if state in RUN_AGAIN:
        return RunAgain(str(error))
    broken = isinstance(error, OSError | TimeoutError | PendingRollbackError | PoolTimeoutError) or _is_client_trouble(
        error
    )
    if isinstance(error, DBAPIError):
        broken = broken or error.connection_invalidated or not state
    if broken or state[:2] in TROUBLE_CLASSES:
        return CommitFailed(str(error))
    if fault is None or isinstance(error, fault) or not isinstance(error, Exception):
        return error
    return fault(str(error))


def _first_line(error: BaseException) -> str:
    """The driver's own words, without what SQLAlchemy adds to them."""
    return (str(getattr(error, "orig", error)).strip() or type(error).__name__).splitlines()[0]


def _state(error: BaseException) -> str:
    """SQLSTATE, from the driver's own error or from SQLAlchemy's around it; empty where there is none."""
    return str(getattr(getattr(error, "orig", error), "sqlstate", None) or "")


def _server_settings(limits: PostgreSQLLimits) -> dict[str, str]:
    return {
        "synchronous_commit": "on",
        "jit": "off",
        "lock_timeout": _milliseconds(limits.lock),
        "statement_timeout": _milliseconds(limits.statement),
        "idle_in_transaction_session_timeout": _milliseconds(
            limits.long_statement
        ),  # a node that vanished holds no locks
        "application_name": "mailhost",
    }


def _more_time(limits: PostgreSQLLimits) -> str:
    return f"SET LOCAL statement_timeout = {_milliseconds(limits.long_statement)}"


def _milliseconds(span: timedelta) -> str:
    return str(int(span.total_seconds() * 1000))
