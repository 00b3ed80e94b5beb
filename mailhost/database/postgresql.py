"""PostgreSQL 14 or newer, by asyncpg: operations are the same plain functions, run by SQLAlchemy's `run_sync`."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from mailhost.database.batch import Outcome, Steps
from mailhost.database.errors import CommitFailed, DatabaseUnsafe, RunAgain
from mailhost.database.marks import is_long, is_one_statement
from mailhost.database.transaction import Transaction

T = TypeVar("T")

RUN_AGAIN = {"40001", "40P01"}
TROUBLE_CLASSES = {"08", "25", "53", "54", "55", "57", "58", "XX"}
"""Classes of SQLSTATE that are the database's own trouble, not the operation's fault."""
SETTLE_TRIES = 20
SETTLE_PAUSE = 0.25


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
        settings = {
            "synchronous_commit": "on",
            "jit": "off",
            "lock_timeout": _milliseconds(self._limits.lock),
            "statement_timeout": _milliseconds(self._limits.statement),
            "application_name": "mailhost",
        }
        self._pool: AsyncEngine = create_async_engine(
            url,
            pool_size=self._limits.readers + 1,
            max_overflow=0,
            pool_pre_ping=False,
            connect_args={"server_settings": settings, "timeout": self._limits.connect.total_seconds()},
        )
        self._writer: AsyncConnection | None = None

    async def open(self) -> None:
        """Raises `DatabaseUnsafe` where a commit would be answered before it is durable."""
        async with self._pool.connect() as connection:
            for name in ("synchronous_commit", "fsync"):
                if (await connection.execute(text(f"SHOW {name}"))).scalar_one() == "off":
                    raise DatabaseUnsafe(
                        f"PostgreSQL runs with {name}=off: acknowledged mail could be lost. Set it to on."
                    )

    async def read(self, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
        if is_one_statement(operation):
            isolation: dict[str, Any] = {"isolation_level": "AUTOCOMMIT"}
        else:
            isolation = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
        try:
            async with self._pool.connect() as connection:
                await connection.execution_options(**isolation)
                if is_long(operation):
                    await connection.exec_driver_sql(
                        f"SET LOCAL statement_timeout = {_milliseconds(self._limits.long_statement)}"
                    )
                return await connection.run_sync(_read, operation, arguments)
        except DBAPIError as error:
            raise _verdict(error) from error
        except (OSError, TimeoutError) as error:
            raise CommitFailed(str(error)) from error

    async def transact(self, work: Callable[[Transaction], Steps]) -> tuple[list[Outcome], list[object]]:
        number: str | None = None
        try:
            writer = await self._connected()
            number = await self._begin(writer)
            outcomes, changes = await writer.run_sync(_run, work)
        except BaseException as error:
            await self._roll_back()
            raise _verdict(error) from error
        try:
            await writer.commit()
        except BaseException as error:
            await self._drop()
            if not await self._was_committed(number):
                raise _verdict(error, fault=CommitFailed) from error
        return outcomes, changes

    async def rest(self) -> None:
        """PostgreSQL makes its own checkpoints."""

    async def close(self) -> None:
        await self._drop()
        await self._pool.dispose()

    async def _connected(self) -> AsyncConnection:
        if self._writer is None:
            self._writer = await self._pool.connect()
        return self._writer

    @staticmethod
    async def _begin(writer: AsyncConnection) -> str:
        """Opens the transaction, and takes its number: what settles a COMMIT that was not answered."""
        return str((await writer.exec_driver_sql("SELECT pg_current_xact_id()::text")).scalar_one())

    async def _was_committed(self, number: str) -> bool:
        """What became of a transaction whose COMMIT was sent on a connection that broke.

        The server may not have noticed yet ('in progress'): ask again until it has. Nobody to ask: not known, so not OK.
        """
        for _ in range(SETTLE_TRIES):
            try:
                async with self._pool.connect() as connection:
                    status = (
                        await connection.execute(
                            text("SELECT pg_xact_status(CAST(CAST(:number AS text) AS xid8))"), {"number": number}
                        )
                    ).scalar_one()
            except (DBAPIError, OSError, TimeoutError):
                status = None
            if status in ("committed", "aborted"):
                return bool(status == "committed")
            await asyncio.sleep(SETTLE_PAUSE)
        return False

    async def _roll_back(self) -> None:
        if self._writer is not None:
            try:
                await self._writer.rollback()
            except Exception:  # noqa: BLE001 - a connection that cannot even roll back is dropped
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


def _read(connection: Connection, operation: Callable[..., T], arguments: tuple[Any, ...]) -> T:
    tx = Transaction(connection, lambda: True)
    try:
        return operation(tx, *arguments)
    finally:
        tx.close_results()


def _run(connection: Connection, work: Callable[[Transaction], Steps]) -> tuple[list[Outcome], list[object]]:
    """All pieces in one go: each statement waits in its greenlet, and the loop goes on."""
    tx = Transaction(connection, lambda: not connection.invalidated)
    steps = work(tx)
    try:
        while True:
            next(steps)
    except StopIteration as stop:
        return stop.value, tx.changes
    finally:
        tx.close_results()


def _verdict(error: BaseException, fault: type[Exception] | None = None) -> BaseException:
    """Run it again, the database's own trouble, or the fault of an operation (which stays as it is)."""
    if isinstance(error, DBAPIError):
        state = str(getattr(error.orig, "sqlstate", None) or "")
        if state in RUN_AGAIN:
            return RunAgain(str(error.orig))
        if error.connection_invalidated or not state or state[:2] in TROUBLE_CLASSES:
            return CommitFailed(str(error.orig))
    elif isinstance(error, OSError | TimeoutError | PendingRollbackError):
        return CommitFailed(str(error))
    return error if fault is None or isinstance(error, fault) else fault(str(error))


def _milliseconds(span: timedelta) -> str:
    return str(int(span.total_seconds() * 1000))
