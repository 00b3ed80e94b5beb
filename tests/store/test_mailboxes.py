"""Mailboxes: made, found, renamed, deleted (RFC 3501 sections 6.3.3 to 6.3.7)."""

import asyncio

import pytest
from sqlalchemy import update

from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, MailboxId, UidValidity, fresh
from mailhost.store import flags, mailboxes, messages, subscriptions
from mailhost.store.changes import Expunged, Removed
from mailhost.store.errors import (
    MailboxExists,
    MailboxHasChildren,
    MailboxMissing,
    MailboxNameInvalid,
    MailboxProtected,
    TooManyMailboxes,
)
from mailhost.store.flags import FlagChange
from mailhost.store.tables import mailbox
from mailhost.store.values import Flags, Mailbox, MailboxKey, SpecialUse
from mailhost.users import accounts
from tests.engines import Place
from tests.store.building import ADD, NOW, SEEN, account_with, add_mailbox, check, fill, key_of, new

INVISIBLE = ["a\u202eb", "\u2066a", "a\u200eb", "a\u200bb", "\ufeffa", "a\u00adb", "\U000e0041", "a\x85", "\x7f"]
"""What turns the text round, or is not seen at all."""


async def names(database: Database, account: AccountId) -> list[str]:
    return [each.name for each in await database.read(mailboxes.list_all, account)]


async def test_a_mailbox_is_found_by_its_name_and_its_key(database: Database) -> None:
    account, [key] = await account_with(database, "Reports")
    found = await database.read(mailboxes.find, account, "Reports")
    assert found == await database.read(mailboxes.get, key)
    assert (found.uid_next, found.messages, found.special_use) == (1, 0, None)
    assert await database.read(subscriptions.names, account) == ["Reports"]


async def test_what_is_not_there_is_missing(database: Database) -> None:
    account, [key] = await account_with(database, "A")
    other, _ = await account_with(database)
    for name in ("B", "a", "A/B", "A\0", ""):
        with pytest.raises(MailboxMissing):
            await database.read(mailboxes.find, account, name)
    with pytest.raises(MailboxMissing):
        await database.read(mailboxes.get, MailboxKey(other, key.id))


@pytest.mark.parametrize("name", ["inbox", "Inbox", "INBOX"])
async def test_inbox_is_one_mailbox_in_any_case(database: Database, name: str) -> None:
    account, [key] = await account_with(database, "INBOX")
    assert (await database.read(mailboxes.find, account, name)).id == key.id
    with pytest.raises(MailboxExists):
        await database.write(add_mailbox, account, name)


@pytest.mark.parametrize(
    "name", ["", "/", "a//b", "a/", "/a", "a*", "a%b", "a\nb", "..", "a/../b", "~root", "x" * 1001, *INVISIBLE]
)
async def test_some_names_cannot_be_had(database: Database, name: str) -> None:
    account, [_] = await account_with(database, "A")
    with pytest.raises(MailboxNameInvalid):
        await database.write(add_mailbox, account, name)
    with pytest.raises(MailboxNameInvalid):
        await database.write(mailboxes.rename, account, "A", name)


async def test_no_other_letter_is_an_i_of_inbox(database: Database) -> None:
    account, _ = await account_with(database, "INBOX")
    with pytest.raises(MailboxMissing):
        await database.read(mailboxes.find, account, "\u0131nbox")


async def test_a_name_is_one_mailbox_however_its_accents_are_spelt(database: Database) -> None:
    account, _ = await account_with(database)
    made = await database.write(add_mailbox, account, "Re\u0301sume\u0301")
    assert made.name == "R\u00e9sum\u00e9"
    for spelling in ("R\u00e9sum\u00e9", "Re\u0301sum\u00e9"):
        assert (await database.read(mailboxes.find, account, spelling)).id == made.id
        with pytest.raises(MailboxExists):
            await database.write(add_mailbox, account, spelling)


async def test_joiners_are_no_tricks(database: Database) -> None:
    """Persian needs them, and so do emoji."""
    account, _ = await account_with(database)
    for name in ("\u0646\u0627\u0645\u0647\u200c\u0647\u0627", "\U0001f469\u200d\U0001f4bb"):
        assert (await database.write(add_mailbox, account, name)).name == name


@pytest.mark.parametrize("name", ["e\u0301", "a\u202eb"])
async def test_a_name_from_before_stays_selectable(database: Database, name: str) -> None:
    account, [key] = await account_with(database, "A")

    def name_it(tx: Transaction) -> None:
        tx.execute(update(mailbox).where(mailbox.c.id == key.id).values(name=name))

    await database.write(name_it)
    assert (await database.read(mailboxes.find, account, name)).id == key.id


async def test_two_who_create_one_name_at_once(place: Place) -> None:
    async with place.opened() as one, place.opened() as other:
        account, _ = await account_with(one)

        def create(tx: Transaction, validity: int) -> Mailbox:
            return mailboxes.create(tx, account, MailboxId(fresh()), "A", UidValidity(validity))

        answers = await asyncio.gather(one.write(create, 1), other.write(create, 2), return_exceptions=True)
        assert {type(answer) for answer in answers} == {Mailbox, MailboxExists}


async def test_a_special_use_is_kept(database: Database) -> None:
    account, _ = await account_with(database)

    def create(tx: Transaction) -> Mailbox:
        return mailboxes.create(tx, account, MailboxId(fresh()), "Sent", UidValidity(1), SpecialUse.SENT)

    made = await database.write(create)
    assert made == await database.read(mailboxes.find, account, "Sent")
    assert made.special_use is SpecialUse.SENT


async def test_the_list_begins_with_inbox(database: Database) -> None:
    account, _ = await account_with(database, "B", "A", "INBOX", "A/C")
    assert await names(database, account) == ["INBOX", "A", "A/C", "B"]


async def test_a_subscription_is_kept(database: Database) -> None:
    account, _ = await account_with(database, "A", "B/C")
    await database.write(mailboxes.unsubscribe, account, "A")
    assert await database.read(subscriptions.names, account) == ["B/C"]
    await database.write(mailboxes.subscribe, account, "B", 10)
    await database.write(mailboxes.subscribe, account, "B", 10)
    assert await database.read(subscriptions.names, account) == ["B", "B/C"]


async def test_a_subscription_outlives_its_mailbox(database: Database) -> None:
    account, _ = await account_with(database, "A", "B")
    await database.write(mailboxes.remove, account, "A", NOW)
    assert await database.read(subscriptions.names, account) == ["A", "B"]
    with pytest.raises(MailboxMissing):
        await database.write(mailboxes.subscribe, account, "A", 10)
    await database.write(mailboxes.unsubscribe, account, "A")
    assert await database.read(subscriptions.names, account) == ["B"]
    for name in ("A", "A\0"):
        with pytest.raises(MailboxMissing):
            await database.write(mailboxes.unsubscribe, account, name)


async def test_a_subscription_goes_with_the_new_name(database: Database) -> None:
    account, _ = await account_with(database, "A", "A/B", "A/C", "X")
    await database.write(mailboxes.unsubscribe, account, "A/C")
    await database.write(mailboxes.remove, account, "X", NOW)  # its name stays on the list, and is taken again
    await database.write(mailboxes.rename, account, "A", "X")
    assert await database.read(subscriptions.names, account) == ["X", "X/B"]


async def test_the_list_of_subscriptions_has_an_end(database: Database) -> None:
    account, _ = await account_with(database, "A", "B", "C")
    await database.write(mailboxes.unsubscribe, account, "C")
    assert not await database.read(mailboxes.may_subscribe, account, 1)
    with pytest.raises(TooManyMailboxes):
        await database.write(mailboxes.subscribe, account, "C", 1)
    await database.write(mailboxes.subscribe, account, "A", 1)
    assert await database.read(subscriptions.names, account) == ["A", "B"]


async def test_a_name_that_only_others_stand_under_is_renamed_and_not_deleted(database: Database) -> None:
    account, _ = await account_with(database, "A/B", "A/B/C", "AX")
    with pytest.raises(MailboxHasChildren):
        await database.write(mailboxes.remove, account, "A", NOW)
    await database.write(mailboxes.rename, account, "A", "Z")
    assert await names(database, account) == ["AX", "Z/B", "Z/B/C"]
    with pytest.raises(MailboxMissing):
        await database.write(mailboxes.remove, account, "A", NOW)


async def test_a_mailbox_takes_the_name_above_it(database: Database) -> None:
    account, keys = await account_with(database, "A/B", "A/B/B", "A/B/B/B")
    await database.write(mailboxes.rename, account, "A/B", "A")
    assert await names(database, account) == ["A", "A/B", "A/B/B"]
    assert [(await database.read(mailboxes.get, key)).name for key in keys] == ["A", "A/B", "A/B/B"]


@pytest.mark.slow
async def test_thousands_are_renamed_with_the_one_above_them(database: Database) -> None:
    def many(tx: Transaction) -> None:
        for number in range(2_000):
            mailboxes.create(tx, account, MailboxId(fresh()), f"A/{number}", UidValidity(number + 1))

    account, _ = await account_with(database, "A")
    await database.write(many)
    await database.write(mailboxes.rename, account, "A", "B")
    assert set(await names(database, account)) == {"B", *(f"B/{number}" for number in range(2_000))}


async def test_a_renamed_mailbox_takes_those_under_it_along(database: Database) -> None:
    account, keys = await account_with(database, "A", "A/B", "A/B/C", "AB")
    await database.write(mailboxes.rename, account, "A", "X/Y")
    assert await names(database, account) == ["AB", "X/Y", "X/Y/B", "X/Y/B/C"]
    assert (await database.read(mailboxes.find, account, "X/Y")).id == keys[0].id


async def test_a_renamed_mailbox_keeps_messages_and_validity(database: Database) -> None:
    account, [key] = await account_with(database, "A")
    await fill(database, key, 2)
    before = await check(database, key)
    await database.write(mailboxes.rename, account, "A", "B")
    after = await check(database, key)
    assert (after.rows, after.mailbox.uid_validity) == (before.rows, before.mailbox.uid_validity)


@pytest.mark.parametrize(
    ("old", "new_name", "error"),
    [
        ("A", "B", MailboxExists),
        ("A", "A", MailboxExists),
        ("C", "D", MailboxMissing),
        ("A", "A/B", MailboxProtected),
        ("INBOX", "X", MailboxProtected),
        ("A", "inbox", MailboxProtected),
        ("A", "E", MailboxExists),
    ],
)
async def test_some_renames_are_refused(database: Database, old: str, new_name: str, error: type[Exception]) -> None:
    account, _ = await account_with(database, "INBOX", "A", "B", "A/K", "E/K")
    with pytest.raises(error):
        await database.write(mailboxes.rename, account, old, new_name)
    assert await names(database, account) == ["INBOX", "A", "A/K", "B", "E/K"]


async def test_a_deleted_mailbox_is_gone_and_its_messages_rest(database: Database) -> None:
    account, [key] = await account_with(database, "A")
    uids = await fill(database, key, 3, keywords=("one",))
    await database.write(messages.expunge, key, uids[:1], NOW)
    heard: list[object] = []
    database.subscribe(heard.extend)
    await database.write(mailboxes.remove, account, "A", NOW)
    assert heard == [Removed(key)]
    assert await names(database, account) == []
    assert await database.read(mailboxes.keywords, key) == {}
    assert [each.uid for each in await database.read(messages.locate, key, uids)] == uids
    with pytest.raises(MailboxMissing):
        await database.write(mailboxes.remove, account, "A", NOW)


async def test_inbox_cannot_be_deleted(database: Database) -> None:
    account, _ = await account_with(database, "INBOX")
    with pytest.raises(MailboxProtected):
        await database.write(mailboxes.remove, account, "inbox", NOW)


async def test_a_name_used_again_is_another_mailbox(database: Database) -> None:
    """RFC 3501 section 2.3.1.1: no (UIDVALIDITY, UID) ever names two messages."""
    account, [key] = await account_with(database, "A")
    seen = {(await database.read(mailboxes.get, key)).uid_validity}
    for _ in range(3):
        await database.write(mailboxes.remove, account, "A", NOW)
        seen.add((await database.write(add_mailbox, account, "A")).uid_validity)
        await database.write(mailboxes.rename, account, "A", "B")
        seen.add((await database.write(add_mailbox, account, "A")).uid_validity)
        await database.write(mailboxes.remove, account, "B", NOW)
    assert len(seen) == 7


async def test_inbox_renamed_is_emptied_into_another(database: Database) -> None:
    account, [inbox, child] = await account_with(database, "INBOX", "INBOX/Child")
    uids = await fill(database, inbox, 4, keywords=("work",))
    await fill(database, child, 1)
    await database.write(flags.change, FlagChange(inbox, (uids[1],), ADD, Flags(SEEN)))
    await database.write(messages.expunge, inbox, uids[:1], NOW)
    before = await check(database, inbox)
    heard: list[object] = []
    database.subscribe(heard.extend)

    def empty(tx: Transaction) -> Mailbox:
        validity = accounts.next_uid_validity(tx, account, NOW)
        return mailboxes.empty_into(tx, account, MailboxId(fresh()), "Old", validity, NOW)

    made = await database.write(empty)
    old, new_inbox = await check(database, key_of(made)), await check(database, inbox)
    assert {uid: row[:2] for uid, row in old.rows.items()} == {uid: row[:2] for uid, row in before.rows.items()}
    assert old.mailbox.uid_validity != new_inbox.mailbox.uid_validity
    assert await database.read(mailboxes.keywords, key_of(made)) == await database.read(mailboxes.keywords, inbox)
    assert new_inbox.rows == {}
    assert new_inbox.mailbox.uid_next == before.mailbox.uid_next
    version = before.mailbox.highest_mod_seq
    assert heard == [Expunged(inbox, version, new_inbox.mailbox.highest_mod_seq, tuple(uids[1:]))]
    assert (await check(database, child)).mailbox.messages == 1
    assert (await fill(database, key_of(made), 1)) == [before.mailbox.uid_next]


async def test_inbox_is_not_emptied_into_what_is_there(database: Database) -> None:
    account, [inbox, _] = await account_with(database, "INBOX", "A")
    await fill(database, inbox, 2)
    for name, error in (("A", MailboxExists), ("Inbox", MailboxExists), ("a//b", MailboxNameInvalid)):
        with pytest.raises(error):
            await database.write(mailboxes.empty_into, account, MailboxId(fresh()), name, UidValidity(99), NOW)
    assert (await check(database, inbox)).mailbox.messages == 2


async def test_recent_messages_are_claimed_once(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    first = await fill(database, key, 2)
    assert await database.write(mailboxes.claim_recent, key) == first[0]
    assert await database.write(mailboxes.claim_recent, key) == first[-1] + 1
    later = await fill(database, key, 1)
    assert await database.write(mailboxes.claim_recent, key) == later[0]
    with pytest.raises(MailboxMissing):
        await database.write(mailboxes.claim_recent, MailboxKey(key.account, MailboxId(1)))


async def test_locks_and_versions_are_of_the_very_keys(database: Database) -> None:
    account, [one, two] = await account_with(database, "A", "B")
    other, [three] = await account_with(database, "A")
    await fill(database, two, 3)
    crossed = [MailboxKey(other, one.id), MailboxKey(account, three.id)]
    assert await database.read(mailboxes.versions, [one, two, three]) == {one.id: 1, two.id: 4, three.id: 1}
    assert await database.read(mailboxes.versions, [*crossed, two]) == {two.id: 4}
    assert await database.read(mailboxes.versions, []) == {}
    locked = await database.write(mailboxes.lock, [three, two, one, two])
    assert list(locked) == sorted((one.id, two.id, three.id))
    assert await database.write(mailboxes.lock, crossed) == {}


async def test_thousands_of_mailboxes_are_locked_at_once(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    many = [MailboxKey(key.account, MailboxId(number)) for number in range(40_000)]
    assert list(await database.write(mailboxes.lock, [*many, key])) == [key.id]


async def test_a_message_for_another_account_s_key_is_refused(database: Database) -> None:
    _, [key] = await account_with(database, "A")
    other, _ = await account_with(database)
    with pytest.raises(MailboxMissing):
        await database.write(messages.append, new(MailboxKey(other, key.id)))
