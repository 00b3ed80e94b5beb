"""The database as the settings describe it, and hints between those who have opened it."""

import asyncio
import socket
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.database import hints as hints_module
from mailhost.database import node
from mailhost.database.errors import CommitFailed, DatabaseUnsafe, SchemaTooNew
from mailhost.database.hints import Hint, Hints, Kind
from mailhost.database.hints_unix import UnixHints
from mailhost.database.open import DatabaseSettings, OpenDatabase, open_database
from mailhost.database.transaction import Transaction
from mailhost.ids import fresh
from tests.database.counting import No
from tests.database.test_postgresql import KILL_ALL, run_sql
from tests.engines import Place


class Change:
    def __init__(self, hint: Hint) -> None:
        self._hint = hint

    def hint(self) -> Hint:
        return self._hint


def announce(tx: Transaction, *hints: Hint) -> None:
    for hint in hints:
        tx.announce(Change(hint))


def settings(place: Place, number: int | None = None) -> DatabaseSettings:
    return DatabaseSettings(place.where, place.folder, node=number)


async def opened(place: Place, number: int | None = None) -> OpenDatabase:
    found = await open_database(settings(place, number))
    listening = getattr(found.hints, "listening", None)
    if listening is not None:
        await listening.wait()
    return found


def heard(hints: Hints, kind: Kind) -> "asyncio.Queue[Hint]":
    queue: asyncio.Queue[Hint] = asyncio.Queue()
    hints.subscribe(kind, queue.put_nowait)
    return queue


async def test_hints_reach_the_others_and_name_the_newest(place: Place) -> None:
    one, other = await opened(place, 0), await opened(place)
    queue = heard(other.hints, Kind.MAILBOX)
    await one.database.write(announce, Hint(Kind.MAILBOX, 7, 1), Hint(Kind.MAILBOX, 7, 2), Hint(Kind.MAILBOX, 8, 5))
    assert await queue.get() == Hint(Kind.MAILBOX, 7, 2)
    assert await queue.get() == Hint(Kind.MAILBOX, 8, 5)
    await one.close()
    await other.close()


async def test_accounts_and_settings_are_heard_everywhere(place: Place) -> None:
    one, other = await opened(place, 0), await opened(place)
    for each in (one, other):
        queue = heard(each.hints, Kind.ACCOUNT)
        await one.database.write(announce, Hint(Kind.ACCOUNT, 3, 4))
        assert await queue.get() == Hint(Kind.ACCOUNT, 3, 4)
    await one.close()
    await other.close()


async def test_many_hints_fit_though_one_text_is_short(place: Place) -> None:
    one, other = await opened(place, 0), await opened(place)
    queue = heard(other.hints, Kind.MAILBOX)
    many = [Hint(Kind.MAILBOX, (1 << 62) + number, 1 << 61) for number in range(1000)]
    await one.database.write(announce, *many)
    assert [await queue.get() for _ in many] == many
    await one.close()
    await other.close()


async def test_what_was_refused_is_not_hinted(place: Place) -> None:
    def refuse(tx: Transaction) -> None:
        announce(tx, Hint(Kind.MAILBOX, 1, 1))
        raise No

    one, other = await opened(place, 0), await opened(place)
    queue = heard(other.hints, Kind.MAILBOX)
    with pytest.raises(No):
        await one.database.write(refuse)
    await one.database.write(announce, Hint(Kind.MAILBOX, 2, 2))
    assert await queue.get() == Hint(Kind.MAILBOX, 2, 2)
    await one.close()
    await other.close()


async def test_a_crashed_process_leaves_a_name_that_is_taken_away(sqlite_place: Place) -> None:
    one = await opened(sqlite_place, 0)
    stale = sqlite_place.folder / "run" / "99999999-0.hints"
    crashed = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    crashed.bind(str(stale))
    crashed.close()
    await one.database.write(announce, Hint(Kind.MAILBOX, 1, 1))
    assert not stale.exists()
    await one.close()
    assert not list((sqlite_place.folder / "run").glob("*.hints"))


async def test_a_full_queue_loses_hints_and_never_waits(tmp_path: Path) -> None:
    one, deaf = UnixHints(tmp_path), UnixHints(tmp_path)
    asyncio.get_running_loop().remove_reader(deaf._socket)
    for number in range(5000):
        one.send([f"mailbox {number} 1"])
    await one.close()
    await deaf.close()


async def test_a_folder_may_have_a_long_name(tmp_path: Path) -> None:
    folder = tmp_path / ("n" * 100) / ("m" * 100)
    folder.mkdir(parents=True)
    one, other = UnixHints(folder), UnixHints(folder)
    queue = heard(other, Kind.SETTINGS)
    one.send(["settings 0 9"])
    assert await queue.get() == Hint(Kind.SETTINGS, 0, 9)
    await one.close()
    await other.close()


@pytest.mark.postgresql
async def test_a_broken_connection_is_made_again_and_everything_is_looked_at(postgresql_place: Place) -> None:
    one, other = await opened(postgresql_place, 0), await opened(postgresql_place)
    anything, mailbox = heard(other.hints, Kind.ANYTHING), heard(other.hints, Kind.MAILBOX)
    await run_sql(postgresql_place, KILL_ALL)
    assert await anything.get() == Hint(Kind.ANYTHING)
    await one.database.write(announce, Hint(Kind.MAILBOX, 1, 1))
    assert await mailbox.get() == Hint(Kind.MAILBOX, 1, 1)
    await one.close()
    await other.close()


async def test_one_failing_listener_keeps_no_hint_from_the_others() -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    hints = Hints()

    def fail(_: Hint) -> None:
        raise ValueError

    hints.subscribe(Kind.MAILBOX, fail)
    queue = heard(hints, Kind.MAILBOX)
    hints.received("mailbox 1 2")
    assert queue.get_nowait() == Hint(Kind.MAILBOX, 1, 2)
    assert len(told) == 1


@given(st.sampled_from(Kind), st.integers(0, 2**63 - 1), st.integers(0, 2**63 - 1))
def test_a_hint_reads_back_as_it_was_written(kind: Kind, id_: int, version: int) -> None:
    hint = Hint(kind, id_, version)
    assert hints_module.read(str(hint)) == hint


@given(st.text())
def test_any_text_is_a_hint_or_none(text: str) -> None:
    hint = hints_module.read(text)
    assert hint is None or str(hint).split()[0] == text.split(maxsplit=1)[0]


@given(st.lists(st.text("abc ", min_size=1, max_size=3000)))
def test_packed_lines_are_all_there_and_fit(lines: list[str]) -> None:
    texts = list(hints_module.packed(lines))
    assert [line for text in texts for line in text.split("\n")] == lines
    assert all(len(text) < 8000 for text in texts)


# Node numbers.


async def test_the_server_is_node_0_and_others_take_free_ones(sqlite_place: Place) -> None:
    server, first, second = await opened(sqlite_place, 0), await opened(sqlite_place), await opened(sqlite_place)
    assert [each.node.number for each in (server, first, second)] == [0, 1, 2]
    assert fresh() >> 12 & 1023 == 2
    await first.close()
    third = await opened(sqlite_place)
    assert third.node.number == 1
    for each in (server, second, third):
        await each.close()


async def test_a_file_that_is_no_database_is_named_with_the_cure(sqlite_place: Place) -> None:
    assert isinstance(sqlite_place.where, Path)
    sqlite_place.where.write_bytes(b"no database " * 1000)
    with pytest.raises(
        DatabaseUnsafe, match=rf"{sqlite_place.where}: file is not a database; .* whole SQLite database"
    ):
        await opened(sqlite_place, 0)


async def test_a_postgresql_that_nobody_answers_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]  # free again below: nobody answers there
    url = f"postgresql+asyncpg://someone:secret@127.0.0.1:{port}/mail"
    with pytest.raises(CommitFailed, match=r"database\.url: .*; is it running, and is the URL right") as failed:
        await open_database(DatabaseSettings(url, tmp_path))
    assert f"127.0.0.1:{port}/mail" in str(failed.value)
    assert "secret" not in str(failed.value)


async def test_two_servers_on_one_folder_are_refused(sqlite_place: Place) -> None:
    server = await opened(sqlite_place, 0)
    with pytest.raises(DatabaseUnsafe, match=r"another mailhost .* has the node number 0; end it"):
        await opened(sqlite_place, 0)
    await server.close()
    again = await opened(sqlite_place, 0)
    await again.close()


def test_a_random_node_is_never_the_server() -> None:
    assert all(1 <= node.at_random().number < 1024 for _ in range(2000))


async def test_a_newer_schema_is_refused_and_the_node_is_free_again(sqlite_place: Place) -> None:
    with sqlite3.connect(sqlite_place.where) as driver:
        driver.execute("UPDATE alembic_version SET version_num = '9999'")
    driver.close()
    for _ in range(2):
        with pytest.raises(SchemaTooNew):
            await opened(sqlite_place, 0)


async def test_a_new_folder_is_made_for_us_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    one = await open_database(DatabaseSettings(data / "mailhost.db", data))
    assert data.stat().st_mode & 0o077 == 0
    assert (data / "run").stat().st_mode & 0o077 == 0
    assert one.backup is None
    assert list((data / "run").iterdir())
    await one.close()
