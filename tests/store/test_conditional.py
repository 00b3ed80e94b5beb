"""Changes bound to a mod-sequence, and that whoever asks for what changed since one misses nothing (RFC 7162 section 3.1)."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailhost.database.database import Database
from mailhost.ids import ModSeq, Uid
from mailhost.store import flags, messages
from mailhost.store.flags import FlagChange
from mailhost.store.index import difference
from mailhost.store.values import FlagAction, Flags, MailboxKey
from tests.engines import Place
from tests.store.building import ADD, FLAGGED, NOW, REMOVE, SEEN, SET, account_with, check, fill, fill_by_sql, new

MANY = 60_000


def bound(key: MailboxKey, uids: Sequence[int], since: int, put: int, action: FlagAction = ADD) -> FlagChange:
    return FlagChange(key, tuple(map(Uid, uids)), action, Flags(put), unchanged_since=ModSeq(since))


async def test_each_message_is_judged_by_itself(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await fill(database, key, 3)  # their mod-sequences are 2, 3 and 4
    now = await database.write(flags.change, bound(key, (1, 2, 3, 9), 3, FLAGGED))
    assert dict(now.messages) == {1: Flags(FLAGGED), 2: Flags(FLAGGED)}
    assert (now.mod_seq, now.failed, now.changed) == (5, (3,), True)
    assert {uid: row[1:] for uid, row in (await check(database, key)).rows.items()} == {
        1: (FLAGGED, 5),
        2: (FLAGGED, 5),
        3: (0, 4),
    }


async def test_one_that_fails_altogether_changes_nothing_and_learns_what_stands(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await fill(database, key, 2)
    before = await check(database, key)
    now = await database.write(flags.change, bound(key, (1, 2), 0, SEEN, SET))
    assert (now.messages, now.failed, now.changed) == ((), (1, 2), False)
    assert await check(database, key) == before


async def test_of_those_that_wait_for_the_same_commit_one_wins(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await fill(database, key, 1)
    asked = [bound(key, (1,), 2, put, SET) for put in (1, 2, 4, 16)]
    answers = await asyncio.gather(*(database.write(flags.change, each) for each in asked))
    assert sorted(bool(each.failed) for each in answers) == [False, True, True, True]
    [won] = [each for each in answers if not each.failed]
    assert (await check(database, key)).rows[Uid(1)][1] == won.messages[0][1]


async def test_what_was_set_before_keeps_its_mod_sequence(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await fill(database, key, 2, flags=SEEN)
    now = await database.write(flags.change, bound(key, (1, 2), 2, SEEN))
    assert (dict(now.messages), now.failed, now.changed) == ({1: Flags(SEEN)}, (2,), False)
    assert (await check(database, key)).mailbox.highest_mod_seq == 3


@pytest.mark.slow
async def test_sixty_thousand_share_one_mod_sequence(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await database.write(fill_by_sql, key, MANY)
    now = await database.write(flags.change, bound(key, range(1, MANY + 1), 50_001, FLAGGED))
    assert (len(now.messages), len(now.failed)) == (50_000, 10_000)
    found = await check(database, key)
    assert {row[2] for uid, row in found.rows.items() if uid <= 50_000} == {now.mod_seq}
    assert all(row[2] == uid + 1 for uid, row in found.rows.items() if uid > 50_000)


uid_sets = st.lists(st.integers(1, 6), unique=True, min_size=1, max_size=6).map(sorted)
changes = st.tuples(
    st.integers(0, 1), uid_sets, st.sampled_from([ADD, REMOVE, SET]), st.integers(0, 31), st.none() | st.integers(0, 40)
)
works = st.lists(changes | st.sampled_from(["append", "expunge", "poll"]), min_size=1, max_size=25)


class Poll:
    """Who keeps a copy of a mailbox by what it is told of changes; what it knows is only what the rows have told."""

    def __init__(self, database: Database, key: MailboxKey) -> None:
        self.database, self.key = database, key
        self.copy: dict[int, int] = {}
        self.known = ModSeq(0)
        self.turn = asyncio.Lock()

    async def ask(self) -> None:
        async with self.turn:
            missed = await self.database.read(difference, self.key, self.known)
            assert missed is not None
            assert all(mod_seq > self.known for _, _, mod_seq in missed.rows)
            self.copy.update({uid: flag for uid, flag, _ in missed.rows})
            for uid in missed.expunged:
                self.copy.pop(uid, None)
            self.known = max([self.known, *(mod_seq for _, _, mod_seq in missed.rows)])


def test_who_polls_with_the_highest_it_knows_misses_no_change(place: Place) -> None:
    """Writers of two processes, and a poll between them wherever it falls."""
    loop = asyncio.new_event_loop()

    async def opened() -> Database:
        return Database(await place.engine())

    one, other = loop.run_until_complete(opened()), loop.run_until_complete(opened())

    async def do(step: object, key: MailboxKey, poll: Poll) -> None:
        if step == "poll":
            await poll.ask()
        elif step == "append":
            await other.write(messages.append, new(key))
        elif step == "expunge":
            await one.write(messages.expunge, key, [Uid(5), Uid(6)], NOW, Flags(0))
        elif isinstance(step, tuple):
            who, uids, action, put, since = step
            limit = None if since is None else ModSeq(since)
            change = FlagChange(key, tuple(map(Uid, uids)), action, Flags(put), unchanged_since=limit)
            await (one, other)[who].write(flags.change, change)

    async def run(work: list[object]) -> None:
        _, [key] = await account_with(one, "A")
        await fill(one, key, 4)
        poll = Poll(one, key)
        await asyncio.gather(*(do(step, key, poll) for step in work))
        await poll.ask()
        assert poll.copy == {uid: row[1] for uid, row in (await check(one, key)).rows.items()}

    @settings(suppress_health_check=list(HealthCheck))
    @given(works)
    def check_all(work: list[object]) -> None:
        loop.run_until_complete(run(work))

    try:
        check_all()
    finally:
        for database in (one, other):
            loop.run_until_complete(database.close())
        loop.close()
