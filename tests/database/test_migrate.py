"""Migrations: whole or not at all, after a backup; and a schema from the future is left alone."""

import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import Connection, NullPool, create_engine, inspect, text
from sqlalchemy.ext.asyncio import create_async_engine

from mailhost.database.errors import SchemaTooNew
from mailhost.database.migrate import _config, _revision, migrate_postgresql, migrate_sqlite
from mailhost.database.types import METADATA
from mailhost.queue import tables as queue_tables
from mailhost.store import tables as store_tables
from mailhost.trace import tables as trace_tables
from mailhost.users import tables as users_tables
from tests.engines import Place

ALL_TABLES = (queue_tables, store_tables, trace_tables, users_tables)
REAL = Path(__file__).parents[2] / "migrations"
FURTHER = """
import os
import sqlalchemy as sa
from alembic import op

revision, down_revision = "9998", "{head}"


def upgrade() -> None:
    op.create_table("half", sa.Column("id", sa.Integer, primary_key=True))
    op.execute("INSERT INTO half VALUES (1)")
    op.add_column("domain", sa.Column("more", sa.Text))
    if "{end}" == "crash":
        os._exit(9)
    if "{end}" == "fail":
        raise RuntimeError("in the middle")
"""


def scripts(folder: Path, end: str) -> Path:
    """The real migrations, and one more."""
    target = folder / f"migrations-{end}"
    shutil.copytree(REAL, target)
    head = max(path.name[:4] for path in (target / "versions").glob("0*.py"))
    (target / "versions" / "9998_further.py").write_text(FURTHER.format(head=head, end=end))
    return target


def tables(path: Path) -> set[str]:
    with sqlite3.connect(path) as driver:
        found = {name for (name,) in driver.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    driver.close()
    return found


def one(path: Path, statement: str) -> object:
    with sqlite3.connect(path) as driver:
        value: object = driver.execute(statement).fetchone()[0]
    driver.close()
    return value


@pytest.fixture
def path(tmp_path: Path, migrated_file: Path) -> Path:
    path = tmp_path / "mailhost.db"
    shutil.copy(migrated_file, path)
    with sqlite3.connect(path) as driver:
        driver.execute("INSERT INTO domain VALUES (1, 'example.org', 0)")
    driver.close()
    return path


def test_a_new_file_has_all_tables_and_no_backup(tmp_path: Path) -> None:
    path = tmp_path / "mailhost.db"
    assert migrate_sqlite(path) is None
    assert tables(path) == {*METADATA.tables, "alembic_version"}
    assert one(path, "PRAGMA auto_vacuum") == 2
    assert path.stat().st_mode & 0o077 == 0
    assert migrate_sqlite(path) is None


def test_a_backup_is_made_before_a_step(path: Path, tmp_path: Path) -> None:
    backup = migrate_sqlite(path, scripts(tmp_path, "well"))
    assert backup is not None
    assert "half" in tables(path)
    assert "half" not in tables(backup)
    assert one(backup, "SELECT name FROM domain") == "example.org"
    assert backup.stat().st_mode & 0o077 == 0


def test_a_step_that_fails_leaves_the_old_schema(path: Path, tmp_path: Path) -> None:
    before = tables(path)
    with pytest.raises(RuntimeError, match="in the middle"):
        migrate_sqlite(path, scripts(tmp_path, "fail"))
    assert tables(path) == before
    assert migrate_sqlite(path) is None


def test_a_crash_in_a_step_leaves_the_old_schema(path: Path, tmp_path: Path) -> None:
    before = tables(path)
    program = "import sys; from pathlib import Path; from mailhost.database.migrate import migrate_sqlite; "
    program += "migrate_sqlite(Path(sys.argv[1]), Path(sys.argv[2]))"
    crashed = subprocess.run(
        [sys.executable, "-c", program, str(path), str(scripts(tmp_path, "crash"))], timeout=60, check=False
    )
    assert crashed.returncode == 9
    assert tables(path) == before
    assert "more" not in str(one(path, "SELECT sql FROM sqlite_master WHERE name = 'domain'"))
    assert migrate_sqlite(path) is None


def test_a_newer_schema_is_refused_and_left_alone(path: Path) -> None:
    with sqlite3.connect(path) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
    driver.close()
    with pytest.raises(SchemaTooNew, match=r"9999.*run the newer mailhost"):
        migrate_sqlite(path)
    assert one(path, "SELECT version_num FROM alembic_version") == "9999"


@pytest.mark.slow
def test_programs_that_start_at_once_migrate_once(tmp_path: Path) -> None:
    path = tmp_path / "mailhost.db"
    program = "import sys; from pathlib import Path; from mailhost.database.migrate import migrate_sqlite; "
    program += "migrate_sqlite(Path(sys.argv[1]))"
    started = [subprocess.Popen([sys.executable, "-c", program, str(path)]) for _ in range(3)]
    assert [each.wait(60) for each in started] == [0, 0, 0]
    assert tables(path) == {*METADATA.tables, "alembic_version"}


@pytest.mark.postgresql
async def test_postgresql_has_the_same_tables(postgresql_place: Place) -> None:
    assert isinstance(postgresql_place.where, str)
    await migrate_postgresql(postgresql_place.where)
    engine = create_async_engine(postgresql_place.where, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    await engine.dispose()
    assert found == {*METADATA.tables, "alembic_version"}


@pytest.mark.postgresql
async def test_a_step_that_fails_leaves_the_old_schema_of_postgresql(postgresql_place: Place, tmp_path: Path) -> None:
    assert isinstance(postgresql_place.where, str)
    with pytest.raises(RuntimeError, match="in the middle"):
        await migrate_postgresql(postgresql_place.where, scripts(tmp_path, "fail"))
    engine = create_async_engine(postgresql_place.where, poolclass=NullPool)
    async with engine.connect() as connection:
        found = await connection.run_sync(lambda sync: set(inspect(sync).get_table_names()))
    await engine.dispose()
    assert "half" not in found


def test_the_tables_are_those_of_the_migrations(migrated_file: Path) -> None:
    """Columns and keys: migrations are free of the tables, and so could drift from them."""
    with sqlite3.connect(migrated_file) as driver:
        for table in METADATA.tables.values():
            rows = driver.execute(f"PRAGMA table_info({table.name})").fetchall()
            assert {row[1] for row in rows} == set(table.columns.keys()), table.name
            assert {row[1]: bool(row[3] or row[5]) for row in rows} == {
                column.name: not column.nullable for column in table.columns
            }, table.name
    driver.close()


# 0002: surrogates.

BOX_COLUMNS = (
    "account_id, id, name, uid_validity, uid_next, highest_mod_seq, recent_uid, special_use, subscribed,"
    " messages, unseen, octets"
)
INSERT_BOX = f"INSERT INTO mailbox ({BOX_COLUMNS}) VALUES "
BOX = INSERT_BOX + "(7, 8, 'INBOX', 1, 3, 2, 1, NULL, 0, {messages}, {messages}, {octets})"
BLOB = "INSERT INTO blob VALUES ({id}, {empty}, 90, 90, 0, 0, {empty})"
PLACED = "INSERT INTO mailbox_message VALUES (7, 8, {uid}, {id}, 0, {uid}, 0)"
COLUMNS = (
    "account_id, id, blob_id, prefix, size, crlf_size, internal_date, message_id_hash, header_octets,"
    " begins_with_field, envelope, body, body_structure, parts, header_cache"
)
ROW = "INSERT INTO message ({columns}{more}) VALUES (7, {id}, {blob}, {empty}, {size}, {size}, 0, 0, 0, 1, {five}{values})"


def row(empty: str, id_: int, blob: int, size: int, more: str = "", values: str = "") -> str:
    five = ", ".join([empty] * 5)
    return ROW.format(columns=COLUMNS, more=more, id=id_, blob=blob, empty=empty, size=size, five=five, values=values)


def mail_of_0001(empty: str) -> list[str]:
    return [
        BOX.format(messages=1, octets=100),
        BLOB.format(id=1, empty=empty),
        row(empty, 11, 1, 100),
        PLACED.format(uid=1, id=11),
    ]


def mail_of_0002(empty: str) -> list[str]:
    """One more message, whose surrogate is the larger one, and one whose surrogate is smaller."""
    more = ", requires, surrogate_id, surrogate_size"
    return [
        BLOB.format(id=2, empty=empty),
        BLOB.format(id=3, empty=empty),
        row(empty, 12, 2, 100, more, ", 1, 13, 150"),
        row(empty, 13, 3, 150),
        row(empty, 14, 2, 100, more, ", 1, 15, 80"),
        row(empty, 15, 3, 80),
        PLACED.format(uid=2, id=12),
        PLACED.format(uid=3, id=14),
        "UPDATE mailbox SET messages = 3, unseen = 3, octets = 100 + 150 + 100",
    ]


AS_IT_IS = "SELECT id, requires, surrogate_id, surrogate_size FROM message ORDER BY id"
UPGRADED = [(11, 0, None, None)]
LEFT = [(11, 1), (12, 2), (14, 2)]
"""Message and blob once the surrogates are gone; the sweeper finds blob 3."""


def sql(path: Path, *statements: str) -> list[tuple[object, ...]]:
    with sqlite3.connect(path) as driver:
        for statement in statements:
            rows = driver.execute(statement).fetchall()
    driver.close()
    return rows


def step(connection: Connection, to: str) -> None:
    config = _config(None)
    config.attributes["connection"] = connection
    is_back = (_revision(connection) or "") > to
    (command.downgrade if is_back else command.upgrade)(config, to)


def step_sqlite(path: Path, to: str) -> None:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool)
    with engine.begin() as connection:
        step(connection, to)
    engine.dispose()


def test_mail_of_0001_goes_to_0002_after_a_backup_and_back(tmp_path: Path) -> None:
    path = tmp_path / "mailhost.db"
    step_sqlite(path, "0001")
    sql(path, *mail_of_0001("x''"))
    backup = migrate_sqlite(path)
    assert backup is not None
    assert backup.name.endswith(".before-migration-from-0001")
    assert sql(backup, "SELECT id, blob_id, size FROM message") == [(11, 1, 100)]
    assert one(backup, "SELECT version_num FROM alembic_version") == "0001"
    assert sql(path, AS_IT_IS) == UPGRADED
    sql(path, *mail_of_0002("x''"))
    step_sqlite(path, "0001")
    assert sql(path, "SELECT id, blob_id FROM message ORDER BY id") == LEFT
    assert sql(path, "SELECT messages, octets FROM mailbox") == [(3, 300)]
    assert "surrogate" not in str(one(path, "SELECT sql FROM sqlite_master WHERE name = 'message'"))
    step_sqlite(path, "0002")
    assert [each[1:] for each in sql(path, AS_IT_IS)] == [(0, None, None)] * 3


@pytest.mark.postgresql
async def test_mail_of_0001_goes_to_0002_of_postgresql_and_back(postgresql_place: Place) -> None:
    assert isinstance(postgresql_place.where, str)
    engine = create_async_engine(postgresql_place.where, poolclass=NullPool)

    async def run(*statements: str) -> list[tuple[object, ...]]:
        async with engine.begin() as connection:
            for statement in statements:
                result = await connection.execute(text(statement))
            return [tuple(each) for each in result] if result.returns_rows else []

    async def go(to: str) -> None:
        async with engine.begin() as connection:
            await connection.run_sync(step, to)

    await go("0001")
    await run(*mail_of_0001("''"))
    await migrate_postgresql(postgresql_place.where)
    assert await run(AS_IT_IS) == UPGRADED
    await run(*mail_of_0002("''"))
    await go("0001")
    assert await run("SELECT id, blob_id FROM message ORDER BY id") == LEFT
    assert await run("SELECT messages, octets FROM mailbox") == [(3, 300)]
    await go("0002")
    assert [each[1:] for each in await run(AS_IT_IS)] == [(0, None, None)] * 3
    await engine.dispose()


# 0003: subscriptions.

LISTS = [
    INSERT_BOX + "(7, 8, 'INBOX', 1, 1, 1, 1, NULL, 1, 0, 0, 0)",
    INSERT_BOX + "(7, 9, 'Sent', 2, 1, 1, 1, '\\Sent', 0, 0, 0, 0)",
    INSERT_BOX + "(6, 5, 'INBOX', 3, 1, 1, 1, NULL, 1, 0, 0, 0)",
]
GONE = "INSERT INTO subscription VALUES (7, 'Gone')"
SUBSCRIBED = "SELECT account_id, name FROM subscription ORDER BY account_id, name"
OF_MAILBOXES = "SELECT account_id, name, subscribed, special_use FROM mailbox ORDER BY id"
KEPT = [(6, "INBOX", 1, None), (7, "INBOX", 1, None), (7, "Sent", 0, "\\Sent")]


def test_subscriptions_of_0002_go_to_0003_and_back(tmp_path: Path) -> None:
    path = tmp_path / "mailhost.db"
    step_sqlite(path, "0002")
    sql(path, *LISTS)
    step_sqlite(path, "0003")
    assert sql(path, SUBSCRIBED) == [(6, "INBOX"), (7, "INBOX")]
    sql(path, GONE)
    step_sqlite(path, "0002")
    assert sql(path, OF_MAILBOXES) == KEPT
    step_sqlite(path, "0003")
    assert sql(path, SUBSCRIBED) == [(6, "INBOX"), (7, "INBOX")]
    assert "subscribed" not in str(one(path, "SELECT sql FROM sqlite_master WHERE name = 'mailbox'"))


@pytest.mark.postgresql
async def test_subscriptions_of_0002_go_to_0003_of_postgresql_and_back(postgresql_place: Place) -> None:
    assert isinstance(postgresql_place.where, str)
    engine = create_async_engine(postgresql_place.where, poolclass=NullPool)

    def there_and_back(connection: Connection) -> None:
        step(connection, "0002")
        for statement in LISTS:
            connection.exec_driver_sql(statement)
        step(connection, "0003")
        assert [tuple(each) for each in connection.exec_driver_sql(SUBSCRIBED)] == [(6, "INBOX"), (7, "INBOX")]
        connection.exec_driver_sql(GONE)
        step(connection, "0002")
        assert [tuple(each) for each in connection.exec_driver_sql(OF_MAILBOXES)] == KEPT
        step(connection, "0003")
        assert [tuple(each) for each in connection.exec_driver_sql(SUBSCRIBED)] == [(6, "INBOX"), (7, "INBOX")]

    async with engine.begin() as connection:
        await connection.run_sync(there_and_back)
    await engine.dispose()
