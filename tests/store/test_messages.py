"""Messages: put in, copied, moved, expunged, served; and their flags."""

import asyncio
from typing import Any

import pytest

from mailhost.database.database import Database
from mailhost.database.marks import is_long
from mailhost.database.transaction import Transaction
from mailhost.ids import MailboxId, ModSeq, Uid, fresh
from mailhost.store import blobs, flags, mailboxes, messages
from mailhost.store.changes import Added, Expunged, Flagged
from mailhost.store.errors import MailboxMissing, TargetMissing, TooManyKeywords
from mailhost.store.flags import FlagChange
from mailhost.store.tables import blob as blob_table
from mailhost.store.tables import blob_chunk, message
from mailhost.store.values import Flags, MailboxKey, Place, Placed
from tests.engines import Place as DatabasePlace
from tests.store.building import (
    ADD,
    DELETED,
    FLAGGED,
    NOW,
    REMOVE,
    SEEN,
    SET,
    account_with,
    blob,
    check,
    count_rows,
    fill,
    fill_by_sql,
    new,
)

MANY = 60_000


def changes_of(database: Database) -> list[Any]:
    heard: list[Any] = []
    database.subscribe(heard.extend)
    return heard


def uids_of(*numbers: int) -> tuple[Uid, ...]:
    return tuple(Uid(number) for number in numbers)


async def test_messages_get_ascending_uids_and_mod_seqs_of_their_own(database: Database) -> None:
    _, [one, two] = await account_with(database, "A", "B")
    heard = changes_of(database)
    placed = await asyncio.gather(*(database.write(messages.append, new(key)) for key in (one, two, one, two, one)))
    assert [each.uid for each in placed] == [1, 1, 2, 2, 3]
    for key, count in ((one, 3), (two, 2)):
        found = await check(database, key)
        assert sorted(mod_seq for _, _, mod_seq in found.rows.values()) == list(range(2, count + 2))
        mine = [change for change in heard if change.mailbox == key]
        assert [(change.before, change.after) for change in mine] == [(n, n + 1) for n in range(1, count + 1)]
        assert all(isinstance(change, Added) for change in mine)


async def test_an_append_counts(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await fill(database, key, 1, size=100)
    await fill(database, key, 1, size=50, flags=SEEN)
    box = (await check(database, key)).mailbox
    assert (box.messages, box.unseen, box.octets) == (2, 1, 150)


async def test_an_append_to_nowhere_keeps_nothing_and_harms_nobody(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    nowhere = MailboxKey(key.account, MailboxId(fresh()))
    placed, refused = await asyncio.gather(
        database.write(messages.append, new(key)), database.write(messages.append, new(nowhere)), return_exceptions=True
    )
    assert isinstance(placed, Placed)
    assert isinstance(refused, TargetMissing)
    with pytest.raises(TargetMissing):
        await database.write(messages.append, new(nowhere))
    assert await database.read(count_rows, blob_table, message) == [1, 1]


async def test_one_keyword_too_many_is_the_refusal_of_its_message_alone(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    full = tuple(f"k{number}" for number in range(26))
    await fill(database, key, 1, keywords=full)
    answers = await asyncio.gather(
        database.write(messages.append, new(key)),
        database.write(messages.append, new(key, keywords=("new1", "new2"))),
        database.write(messages.append, new(key, keywords=("K3",))),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [Placed, TooManyKeywords, Placed]
    assert list(await database.read(mailboxes.keywords, key)) == list(full)
    assert (await check(database, key)).mailbox.messages == 3
    assert await database.read(count_rows, blob_table) == [3]
    with pytest.raises(TooManyKeywords):
        await database.write(flags.change, FlagChange(key, uids_of(1), ADD, Flags(0), ("new1", "new2")))
    await database.write(flags.change, FlagChange(key, uids_of(1), ADD, Flags(0), ("new1",)))


async def test_keywords_are_one_whatever_their_case_and_kept_as_first_written(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await fill(database, key, 1, keywords=("Work", "WORK", "$Junk"))
    now = await database.write(flags.change, FlagChange(key, uids_of(1), ADD, Flags(0), ("work", "$JUNK")))
    known = await database.read(mailboxes.keywords, key)
    assert known == {"Work": 1 << 5, "$Junk": 1 << 6}
    assert now.messages == ((1, (1 << 5) | (1 << 6)),)


async def test_what_is_taken_away_is_not_learnt(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await fill(database, key, 1)
    await database.write(flags.change, FlagChange(key, uids_of(1), REMOVE, Flags(0), ("never",)))
    assert await database.read(mailboxes.keywords, key) == {}


@pytest.mark.parametrize(
    ("action", "put", "after"),
    [
        (ADD, FLAGGED, SEEN | FLAGGED),
        (REMOVE, SEEN, 0),
        (SET, DELETED, DELETED),
        (REMOVE, FLAGGED, SEEN),
        (ADD, SEEN, SEEN),
    ],
)
async def test_flags_are_added_removed_and_set(database: Database, action: Any, put: int, after: int) -> None:
    _, [key] = await account_with(database, "A")
    await fill(database, key, 2, flags=SEEN)
    before = await check(database, key)
    heard = changes_of(database)
    now = await database.write(flags.change, FlagChange(key, uids_of(2), action, Flags(put)))
    found = await check(database, key)
    assert now.messages == ((2, after),)
    assert [found.rows[uid][1] for uid in uids_of(1, 2)] == [SEEN, after]
    version, changed = before.mailbox.highest_mod_seq, after != SEEN
    assert found.mailbox.highest_mod_seq == version + changed
    assert heard == (
        [Flagged(key, version, found.mailbox.highest_mod_seq, ((Uid(2), Flags(after)),))] if changed else []
    )
    assert found.rows[Uid(1)] == before.rows[Uid(1)]


async def test_stores_that_share_a_batch_share_no_mod_seq(database: Database) -> None:
    """RFC 7162 section 3.1: a client that knows the first must hear of the second."""
    _, [key] = await account_with(database, "A")
    await fill(database, key, 2)
    heard = changes_of(database)
    one, two, three = await asyncio.gather(
        database.write(flags.change, FlagChange(key, uids_of(1), ADD, Flags(SEEN))),
        database.write(flags.change, FlagChange(key, uids_of(1), ADD, Flags(FLAGGED))),
        database.write(flags.change, FlagChange(key, uids_of(2), ADD, Flags(FLAGGED))),
    )
    assert [one.mod_seq, two.mod_seq, three.mod_seq] == [4, 5, 6]
    assert two.messages == ((Uid(1), Flags(SEEN | FLAGGED)),)
    assert [(change.before, change.after) for change in heard] == [(3, 4), (4, 5), (5, 6)]
    await check(database, key)


async def test_flags_of_what_is_gone_are_left_out(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    uids = await fill(database, key, 3)
    await database.write(messages.expunge, key, uids[1:2], NOW)
    now = await database.write(flags.change, FlagChange(key, tuple(uids), ADD, Flags(SEEN)))
    assert now.messages == ((Uid(1), Flags(SEEN)), (Uid(3), Flags(SEEN)))
    with pytest.raises(MailboxMissing):
        await database.write(flags.change, FlagChange(MailboxKey(key.account, MailboxId(1)), (), ADD, Flags(0)))


async def test_doubled_and_unsorted_uids_name_only_themselves(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    await fill(database, key, 4)
    now = await database.write(flags.change, FlagChange(key, uids_of(1, 1, 3), ADD, Flags(SEEN)))
    assert now.messages == ((Uid(1), Flags(SEEN)), (Uid(3), Flags(SEEN)))
    assert await database.write(messages.expunge, key, uids_of(2, 2, 4), NOW) == [2, 4]
    assert set((await check(database, key)).rows) == {1, 3}


async def test_a_copy_shares_the_content_and_keeps_flags_and_keywords(database: Database) -> None:
    _, [source, target] = await account_with(database, "A", "B")
    await fill(database, target, 1, keywords=("other",))
    uids = await fill(database, source, 3, flags=SEEN, keywords=("work", "Other"))
    heard = changes_of(database)
    copied = await database.write(messages.copy, source, [*uids, Uid(99)], target, NOW)
    assert (copied.sources, copied.targets) == ((1, 2, 3), (2, 3, 4))
    found, left = await check(database, target), await check(database, source)
    known = await database.read(mailboxes.keywords, target)
    assert known == {"other": 1 << 5, "work": 1 << 6}
    assert {found.rows[uid][1] for uid in copied.targets} == {Flags(SEEN | known["work"] | known["other"])}
    assert [found.rows[uid][0] for uid in copied.targets] == [left.rows[uid][0] for uid in uids]
    assert heard == [Added(target, ModSeq(2), ModSeq(3), tuple((uid, found.rows[uid][1]) for uid in copied.targets))]
    assert copied.uid_validity == found.mailbox.uid_validity


async def test_a_copy_from_or_to_nowhere(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    uids = await fill(database, key, 1)
    nowhere = MailboxKey(key.account, MailboxId(1))
    with pytest.raises(TargetMissing):
        await database.write(messages.copy, key, uids, nowhere, NOW)
    with pytest.raises(MailboxMissing) as missing:
        await database.write(messages.copy, nowhere, uids, key, NOW)
    assert not isinstance(missing.value, TargetMissing)
    nothing = await database.write(messages.copy, key, [], key, NOW)
    assert (nothing.sources, nothing.targets) == ((), ())


async def test_a_move_is_copy_and_expunge_in_one(database: Database) -> None:
    _, [source, target] = await account_with(database, "A", "B")
    uids = await fill(database, source, 3)
    heard = changes_of(database)
    moved = await database.write(messages.move, source, uids[:2], target, NOW)
    assert (moved.sources, moved.targets) == ((1, 2), (1, 2))
    assert set((await check(database, source)).rows) == {3}
    assert set((await check(database, target)).rows) == {1, 2}
    assert [type(change) for change in heard] == [Added, Expunged]


async def test_a_move_within_a_mailbox_gives_new_uids(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    uids = await fill(database, key, 2)
    moved = await database.write(messages.move, key, uids[:1], key, NOW)
    assert moved.targets == (3,)
    assert set((await check(database, key)).rows) == {2, 3}


async def test_an_expunge_takes_only_what_has_the_flags(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    uids = await fill(database, key, 3)
    await database.write(flags.change, FlagChange(key, uids_of(1, 3), ADD, Flags(DELETED)))
    heard = changes_of(database)
    assert await database.write(messages.expunge, key, uids[:2], NOW, Flags(DELETED)) == [1]
    found = await check(database, key)
    assert set(found.rows) == {2, 3}
    assert found.expunged == {1: found.mailbox.highest_mod_seq}
    assert heard == [
        Expunged(key, ModSeq(found.mailbox.highest_mod_seq - 1), found.mailbox.highest_mod_seq, uids_of(1))
    ]
    assert await database.write(messages.expunge, key, uids[:1], NOW) == []
    assert len(heard) == 1


async def test_no_uid_is_used_again(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    uids = await fill(database, key, 2)
    await database.write(messages.expunge, key, uids, NOW)
    assert await fill(database, key, 1) == [3]


async def test_what_was_expunged_is_served_still(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    uids = await fill(database, key, 3, size=77)
    await database.write(messages.expunge, key, uids[1:2], NOW)
    served = await database.read(messages.serve, key, uids)
    assert [(each.uid, each.size, each.envelope) for each in served] == [(uid, 77, b"(env)") for uid in uids]
    located = await database.read(messages.locate, key, uids)
    assert [(each.uid, each.prefix) for each in located] == [(uid, b"Prefix: p\r\n") for uid in uids]
    assert await database.read(messages.sizes, key) == [(1, 77), (3, 77)]
    assert await database.read(messages.sizes_small, key) == [(1, 77), (3, 77)]


async def test_chunks_are_kept_in_order(database: Database) -> None:
    content = bytes(range(256)) * 3000

    def insert(tx: Transaction) -> Any:
        its = blob(content, Place.CHUNKED)
        blobs.insert_many(tx, [its])
        return its.id

    id_ = await database.write(insert)
    assert await database.read(count_rows, blob_chunk) == [3]
    assert b"".join([await database.read(blobs.chunk, id_, seq) for seq in range(3)]) == content
    [stored] = (await database.read(blobs.stored, [id_])).values()
    assert (stored.data, stored.size, stored.place) == (None, len(content), Place.CHUNKED)
    assert await database.read(blobs.file_ids, [id_, fresh()]) == {id_}


async def test_two_nodes_write_into_one_mailbox(place: DatabasePlace) -> None:
    async with place.opened() as one, place.opened() as other:
        _, keys = await account_with(one, "A", "B", "C")
        await asyncio.gather(
            *(each.write(messages.append, new(key)) for _ in range(30) for each in (one, other) for key in keys)
        )
        for key in keys:
            assert set((await check(one, key)).rows) == set(range(1, 61))


@pytest.mark.slow
async def test_sixty_thousand_messages(database: Database) -> None:
    """Every operation on all of them, and on every second one: no limit on bound values is met."""
    _, [key, target] = await account_with(database, "A", "B")
    await database.write(fill_by_sql, key, MANY)
    all_, odd = [Uid(n) for n in range(1, MANY + 1)], [Uid(n) for n in range(1, MANY + 1, 2)]
    assert len(await database.read(messages.sizes, key)) == MANY
    for uids in (odd, all_):
        now = await database.write(flags.change, FlagChange(key, tuple(uids), ADD, Flags(SEEN)))
        assert len(now.messages) == len(uids)
        assert len(await database.read(messages.serve, key, uids)) == len(uids)
    copied = await database.write(messages.copy, key, odd, target, NOW)
    assert len(copied.targets) == len(odd)
    assert await database.write(messages.expunge, key, odd, NOW) == odd
    moved = await database.write(messages.move, key, all_, target, NOW)
    assert len(moved.targets) == MANY - len(odd)
    assert (await database.read(mailboxes.get, key)).messages == 0
    assert len((await check(database, target)).rows) == MANY


def test_what_is_long_follows_from_the_count() -> None:
    key = MailboxKey(fresh(), MailboxId(fresh()))  # type: ignore[arg-type]  # any number will do
    many = [Uid(n) for n in range(1000)]
    for operation, arguments in (
        (messages.expunge, (key,)),
        (messages.copy, (key,)),
        (messages.move, (key,)),
    ):
        assert is_long(operation, (*arguments, many, key, NOW))
        assert not is_long(operation, (*arguments, many[:100], key, NOW))
    assert is_long(flags.change, (FlagChange(key, tuple(many), ADD, Flags(0)),))
    assert not is_long(flags.change, (FlagChange(key, tuple(many[:9]), ADD, Flags(0)),))
    assert is_long(messages.sizes, (key,))
