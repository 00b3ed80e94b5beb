"""The mailbox in memory: equal to the table, whatever was published, missed, or only hinted at."""

import asyncio
from array import array
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.database.hints import Hint, Hints, Kind
from mailhost.database.open import DatabaseSettings, open_database
from mailhost.ids import AccountId, MailboxId, ModSeq, Uid, UidValidity
from mailhost.store import flags, index, mailboxes, messages
from mailhost.store.changes import Added, Expunged
from mailhost.store.errors import MailboxMissing
from mailhost.store.flags import FlagChange
from mailhost.store.index import Indexes, MailboxIndex
from mailhost.store.values import Flags, Mailbox, MailboxKey
from tests.engines import Place
from tests.store.building import ADD, DELETED, FLAGGED, NOW, SEEN, account_with, fill, fill_by_sql, new

LONG = timedelta(hours=1)


class View:
    """What a session hears."""

    def __init__(self) -> None:
        self.expunged: list[Uid] = []
        self.removed = False
        self.told = asyncio.Event()

    def messages_expunged(self, uids: Sequence[Uid]) -> None:
        self.expunged += uids

    def changed(self) -> None:
        self.told.set()

    def mailbox_removed(self) -> None:
        self.removed = True
        self.told.set()


async def opened(database: Database, indexes: Indexes, key: MailboxKey) -> tuple[MailboxIndex, View]:
    view = View()
    return await indexes.open(await database.read(mailboxes.get, key), view), view


async def same(database: Database, found: MailboxIndex) -> None:
    """The index equals the table."""
    table = await database.read(index.load_small, found.key)
    assert found.uids == table.uids
    assert found.flags == table.flags
    assert found.mod_seqs == table.mod_seqs
    assert found.version == table.mailbox.highest_mod_seq


async def until(view: View, condition: Any) -> None:
    while not condition():
        view.told.clear()
        await view.told.wait()


class Deaf:
    """Between a database and its indexes: some changes get lost."""

    def __init__(self, indexes: Indexes) -> None:
        self.indexes = indexes
        self.deaf = False

    def __call__(self, changes: Sequence[object]) -> None:
        if not self.deaf:
            self.indexes.published(changes)


steps = st.lists(
    st.tuples(
        st.sampled_from(["append", "store", "expunge", "copy", "refresh", "two"]),
        st.lists(st.integers(1, 25), unique=True, max_size=12).map(sorted),
        st.sampled_from([SEEN, DELETED, FLAGGED]),
        st.booleans(),
    ),
    max_size=25,
)


async def step(database: Database, key: MailboxKey, what: str, uids: list[int], flag: int) -> None:
    some = [Uid(uid) for uid in uids]
    match what:
        case "append":
            await asyncio.gather(*(database.write(messages.append, new(key)) for _ in uids))
        case "store":
            await database.write(flags.change, FlagChange(key, tuple(some), ADD, Flags(flag)))
        case "expunge":
            await database.write(messages.expunge, key, some, NOW)
        case "copy":
            await database.write(messages.copy, key, some, key, NOW)
        case "two":
            await asyncio.gather(
                database.write(flags.change, FlagChange(key, tuple(some[:4]), ADD, Flags(flag))),
                database.write(messages.expunge, key, some[2:3], NOW),
                database.write(messages.append, new(key)),
            )


def follow(place: Place, plan: Any) -> None:
    async def run() -> None:
        async with place.opened() as database:
            _, [key] = await account_with(database, "A")
            await fill(database, key, 10)
            indexes = Indexes(database)
            deaf = Deaf(indexes)
            database._listeners[:] = [deaf]
            found, view = await opened(database, indexes, key)
            seen = set(found.uids)
            for what, uids, flag, is_deaf in plan:
                deaf.deaf = is_deaf
                before = found.version
                if what == "refresh":
                    await indexes.refresh(found)
                await step(database, key, what, uids, flag)
                seen |= set(found.uids)
                assert found.version >= before
                assert list(found.uids) == sorted(set(found.uids))
                assert len(found.uids) == len(found.flags) == len(found.mod_seqs)
            await indexes.refresh(found)
            await same(database, found)
            assert len(view.expunged) == len(set(view.expunged))
            assert set(found.uids) | set(view.expunged) >= seen
            assert not set(found.uids) & set(view.expunged)

    asyncio.run(run())


@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=40)
@given(plan=steps)
def test_an_index_follows_what_it_hears_and_what_it_misses(sqlite_place: Place, plan: Any) -> None:
    follow(sqlite_place, plan)


@pytest.mark.postgresql
@settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=8)
@given(plan=steps)
def test_an_index_follows_postgresql_too(postgresql_place: Place, plan: Any) -> None:
    follow(postgresql_place, plan)


async def test_a_published_change_is_there_before_its_caller_goes_on(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    found, view = await opened(database, Indexes(database), key)
    await fill(database, key, 3)
    assert list(found.uids) == [1, 2, 3]
    await database.write(messages.expunge, key, [Uid(2)], NOW)
    assert (list(found.uids), view.expunged) == ([1, 3], [2])
    now = await database.write(flags.change, FlagChange(key, (Uid(3),), ADD, Flags(SEEN)))
    assert found.flags_of(Uid(3)) == Flags(SEEN)
    assert found.flagged_since(ModSeq(now.mod_seq - 1)) == [3]
    assert found.flagged_since(now.mod_seq) == []
    assert view.told.is_set()


async def test_a_missed_change_is_read(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    indexes = Indexes(database)
    found, view = await opened(database, indexes, key)
    database._listeners.clear()
    await fill(database, key, 2)
    database.subscribe(indexes.published)
    await fill(database, key, 1)
    await until(view, lambda: len(found) == 3)
    await same(database, found)


async def test_a_hint_that_comes_in_the_turn_when_an_older_one_is_done_is_not_lost(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    indexes = Indexes(database)
    found, view = await opened(database, indexes, key)
    database._listeners.clear()
    await fill(database, key, 1)
    older, newer = ModSeq(found.version + 1), ModSeq(found.version + 2)
    real = database.read

    async def overtaken(operation: Any, *arguments: Any) -> Any:
        answer = await real(operation, *arguments)
        database.read = real  # type: ignore[method-assign]
        await fill(database, key, 1)  # committed after the look, before its end
        return answer

    class Next(View):
        def changed(self) -> None:
            indexes.hinted(key.id, newer)

    found.watchers.append(Next())
    database.read = overtaken  # type: ignore[assignment, method-assign]
    indexes.hinted(key.id, older)
    await until(view, lambda: len(found) == 2)


async def test_a_hint_that_comes_while_an_older_one_is_read_is_not_lost(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    indexes = Indexes(database)
    found, view = await opened(database, indexes, key)
    database._listeners.clear()
    reading, go_on = asyncio.Event(), asyncio.Event()
    real = database.read

    async def slowly(operation: Any, *arguments: Any) -> Any:
        answer = await real(operation, *arguments)
        reading.set()
        await go_on.wait()
        return answer

    database.read = slowly  # type: ignore[method-assign,assignment]  # to stand between reading and hearing
    await fill(database, key, 1)
    indexes.hinted(key.id, ModSeq(2))
    await reading.wait()
    await fill(database, key, 1)
    indexes.hinted(key.id, ModSeq(3))
    go_on.set()
    await until(view, lambda: len(found) == 2)


async def test_many_changes_at_once_are_read_in_a_thread(database: Database) -> None:
    _, [key, other] = await account_with(database, "A", "B")
    await database.write(fill_by_sql, key, 3000)
    indexes = Indexes(database)
    found, view = await opened(database, indexes, key)
    empty, _ = await opened(database, indexes, other)
    database._listeners.clear()
    all_ = tuple(Uid(n) for n in range(1, 3001))
    await database.write(flags.change, FlagChange(key, all_, ADD, Flags(SEEN)))
    await database.write(messages.copy, key, all_, other, NOW)
    await database.write(messages.expunge, key, all_[::2], NOW)
    assert await database.read(index.difference, key, found.version) is None
    for each in (found, empty):
        await indexes.refresh(each)
        await same(database, each)
    assert view.expunged == list(all_[::2])
    assert (len(found), len(empty)) == (1500, 3000)


async def test_a_flood_of_flags_takes_no_memory(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await database.write(fill_by_sql, key, 2000)
    found, _ = await opened(database, Indexes(database), key)
    version = found.version
    all_ = tuple(Uid(n) for n in range(1, 2001))
    await database.write(flags.change, FlagChange(key, all_, ADD, Flags(SEEN)))
    assert found.flagged_since(version) == list(all_)
    assert not found._history


async def test_a_removed_mailbox_is_told_and_cannot_be_opened(database: Database) -> None:
    account, [key] = await account_with(database, "A")
    indexes = Indexes(database)
    box = await database.read(mailboxes.get, key)
    found, view = await opened(database, indexes, key)
    await database.write(mailboxes.remove, account, "A", NOW)
    assert view.removed
    assert found.gone
    with pytest.raises(MailboxMissing):
        await indexes.open(box, View())


async def test_those_who_open_at_once_share_one_index(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    indexes = Indexes(database)
    both = await asyncio.gather(opened(database, indexes, key), opened(database, indexes, key))
    assert both[0][0] is both[1][0]
    await fill(database, key, 1)
    assert all(view.told.is_set() for _, view in both)


async def test_few_idle_indexes_are_kept_and_open_ones_always(database: Database, monkeypatch: Any) -> None:
    monkeypatch.setattr(index, "KEPT", 2)
    _, keys = await account_with(database, *"ABCDEF")
    indexes = Indexes(database)
    held, view = await opened(database, indexes, keys[0])
    for key in keys[1:]:
        found, other = await opened(database, indexes, key)
        indexes.close(found, other)
    assert set(indexes._indexes) == {keys[0].id, keys[4].id, keys[5].id}
    await fill(database, keys[0], 1)
    assert len(held) == 1
    assert view.told.is_set()


async def test_an_idle_index_dropped_while_it_is_opened_is_not_used(database: Database) -> None:
    """Else its session would hear nothing any more."""
    _, [key] = await account_with(database, "A")
    indexes = Indexes(database)
    found, view = await opened(database, indexes, key)
    indexes.close(found, view)
    real = indexes.refresh

    async def dropped_meanwhile(each: MailboxIndex) -> None:
        await real(each)
        if each is found:
            indexes._indexes.pop(key.id, None)

    indexes.refresh = dropped_meanwhile  # type: ignore[method-assign,assignment]  # to come between
    again, _ = await opened(database, indexes, key)
    await fill(database, key, 1)
    assert len(again) == 1


async def test_two_processes_follow_each_other_by_hints(place: Place) -> None:
    one = await open_database(DatabaseSettings(place.where, place.folder, node=0))
    other = await open_database(DatabaseSettings(place.where, place.folder))
    for each in (one, other):
        if hasattr(each.hints, "listening"):
            await each.hints.listening.wait()
    account, [key] = await account_with(one.database, "A")
    indexes = Indexes(other.database)
    following = indexes.listen(other.hints, every=LONG)
    found, view = await opened(other.database, indexes, key)
    await fill(one.database, key, 2)
    await until(view, lambda: len(found) == 2)
    await one.database.write(messages.expunge, key, [Uid(1)], NOW)
    await until(view, lambda: view.expunged == [1])
    await same(other.database, found)
    await one.database.write(mailboxes.remove, account, "A", NOW)
    await until(view, lambda: view.removed)
    following.cancel()
    await one.close()
    await other.close()


async def test_a_lost_hint_is_made_good_by_the_check(place: Place) -> None:
    async with place.opened() as one, place.opened() as other:
        account, [key, gone] = await account_with(one, "A", "B")
        indexes = Indexes(other)
        found, view = await opened(other, indexes, key)
        _, left = await opened(other, indexes, gone)
        await fill(one, key, 2)
        await one.write(mailboxes.remove, account, "B", NOW)
        await indexes.check()
        await same(other, found)
        assert view.told.is_set()
        assert left.removed


async def test_the_check_comes_by_time_and_when_hints_were_lost(place: Place) -> None:
    async with place.opened() as one, place.opened() as other:
        _, [key] = await account_with(one, "A")
        indexes = Indexes(other)
        hints = Hints()
        found, view = await opened(other, indexes, key)
        by_hint = indexes.listen(hints, every=LONG)
        await asyncio.sleep(0)
        await fill(one, key, 1)
        hints.heard(Hint(Kind.ANYTHING))
        await until(view, lambda: len(found) == 1)
        by_hint.cancel()
        by_time = indexes.listen(hints, every=timedelta(milliseconds=10))
        await fill(one, key, 1)
        await until(view, lambda: len(found) == 2)
        by_time.cancel()


async def test_the_check_outlives_a_database_that_cannot_be_asked(database: Database, monkeypatch: Any) -> None:
    indexes = Indexes(database)
    asked: list[int] = []
    twice = asyncio.Event()

    async def fail() -> None:
        asked.append(1)
        if len(asked) == 2:
            twice.set()
        raise CommitFailed

    monkeypatch.setattr(indexes, "check", fail)
    task = indexes.listen(Hints(), every=timedelta(0))
    await twice.wait()
    assert not task.done()
    task.cancel()


def snapshot(count: int) -> MailboxIndex:
    box = Mailbox(
        MailboxId(1),
        AccountId(1),
        "A",
        UidValidity(1),
        Uid(count + 1),
        ModSeq(count + 1),
        Uid(1),
        count,
        0,
        0,
        None,
    )
    numbers = range(1, count + 1)
    return MailboxIndex(index.Snapshot(box, array("I", numbers), array("I", [0] * count), array("Q", numbers)))


def test_changes_that_do_not_join_are_not_applied() -> None:
    found = snapshot(3)
    later = Added(found.key, ModSeq(6), ModSeq(7), ((Uid(9), Flags(0)),))
    old = Expunged(found.key, ModSeq(2), ModSeq(3), (Uid(1),))
    assert not found.apply(later)
    assert found.apply(old)
    assert list(found.uids) == [1, 2, 3]


def test_sessions_hold_the_same_arrays_whatever_goes() -> None:
    found = snapshot(100)
    uids = found.uids
    found.apply(Expunged(found.key, ModSeq(101), ModSeq(102), tuple(Uid(n) for n in range(1, 51))))
    assert found.uids is uids
    assert list(uids) == list(range(51, 101))
