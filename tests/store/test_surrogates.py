"""Surrogates: whoever does not take what a message requires gets the other form of it, and every number fits that form."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import delete

from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.ids import MessageId, Uid, fresh
from mailhost.message.form import Form
from mailhost.message.structure import Scanned
from mailhost.store import mailboxes, messages
from mailhost.store.messages import Append
from mailhost.store.tables import message
from mailhost.store.values import Located, MailboxKey, NewSurrogate, PreparedBlob

from .building import NOW, account_with, blob, check, fill, new, structure

PLAIN, UTF8, BINARY = Form.PLAIN, Form.UTF8, Form.BINARY


def other_structure() -> Scanned:
    return replace(structure(20), envelope=b"(other env)", header_cache=b"(other headers)", begins_with_field=False)


def with_surrogate(key: MailboxKey, requires: Form, size: int = 100, other: int = 140) -> Append:
    """A message and its surrogate, of so many octets."""
    its, octets = new(key, size), blob(b"other octets")
    surrogate = NewSurrogate(
        MessageId(fresh()), octets.id, other_structure(), b"Other: p\r\n", other, requires, other + 2
    )
    return Append(replace(its.message, surrogate=surrogate), its.blob, NOW, octets)


async def one(database: Database, requires: Form, **sizes: int) -> tuple[MailboxKey, Append]:
    """A mailbox with the message of UID 2 between two plain ones."""
    _, [key] = await account_with(database, "A")
    await fill(database, key, 1)
    append = with_surrogate(key, requires, **sizes)
    await database.write(messages.append, append)
    await fill(database, key, 1)
    return key, append


@pytest.mark.parametrize(
    ("requires", "takes", "is_raw"),
    [
        (UTF8, PLAIN, False),
        (UTF8, UTF8, True),
        (UTF8, BINARY, False),
        (BINARY, PLAIN, False),
        (BINARY, UTF8, False),
        (UTF8 | BINARY, UTF8, False),
        (UTF8 | BINARY, UTF8 | BINARY, True),
    ],
)
async def test_the_form_that_is_served_is_one_that_the_client_takes(
    database: Database, requires: Form, takes: Form, is_raw: bool
) -> None:
    key, append = await one(database, requires)
    assert append.surrogate_blob is not None
    wanted: tuple[PreparedBlob, Any, bytes, int, int] = (
        (append.blob, structure(), b"Prefix: p\r\n", 100, 100)
        if is_raw
        else (append.surrogate_blob, other_structure(), b"Other: p\r\n", 140, 142)
    )
    octets, scanned, prefix, size, crlf_size = wanted
    served = await database.read(messages.serve, key, [Uid(1), Uid(2), Uid(3)], takes)
    assert [each.envelope for each in served] == [b"(env)", scanned.envelope, b"(env)"]
    assert [each.size for each in served] == [100, size, 100]
    located = await database.read(messages.locate, key, [Uid(1), Uid(2), Uid(3)], takes)
    assert located[1] == Located(
        Uid(2),
        octets.id,
        prefix,
        size,
        scanned.header_octets,
        scanned.begins_with_field,
        scanned.parts,
        scanned.header_cache,
    )
    assert await database.read(messages.locate_present, key, Uid(2), takes) == located[1]
    sizes = await database.read(messages.sizes, key, takes)
    assert sizes == [(1, 100), (2, crlf_size), (3, 100)]
    assert await database.read(messages.sizes_small, key, takes) == sizes


async def test_who_does_not_say_what_it_takes_gets_plain_mail(database: Database) -> None:
    key, _ = await one(database, UTF8)
    (served,) = await database.read(messages.serve, key, [Uid(2)])
    (located,) = await database.read(messages.locate, key, [Uid(2)])
    assert (served.size, located.size) == (140, 140)


async def test_a_message_that_is_expunged_and_not_told_yet_keeps_its_form(database: Database) -> None:
    key, _ = await one(database, UTF8)
    await database.write(messages.expunge, key, [Uid(2)], NOW)
    assert [each.size for each in await database.read(messages.serve, key, [Uid(2)], PLAIN)] == [140]
    assert [each.size for each in await database.read(messages.locate, key, [Uid(2)], UTF8)] == [100]
    assert await database.read(messages.locate_present, key, Uid(2)) is None


@pytest.mark.parametrize(("size", "other"), [(100, 140), (140, 100)])
async def test_a_mailbox_counts_the_larger_form(database: Database, size: int, other: int) -> None:
    """RFC 8438 section 2: never less than the sum of RFC822.SIZE, whatever form it is of."""
    key, _ = await one(database, UTF8, size=size, other=other)
    assert (await check(database, key)).mailbox.octets == 340
    account = key.account
    target = MailboxKey(account, (await database.read(mailboxes.find, account, "A")).id)
    await database.write(messages.copy, key, [Uid(2)], target, NOW)
    assert (await check(database, key)).mailbox.octets == 480
    await database.write(messages.expunge, key, [Uid(2)], NOW)
    assert (await check(database, key)).mailbox.octets == 340
    await database.write(messages.expunge, key, [Uid(1), Uid(3), Uid(4)], NOW)
    assert (await check(database, key)).mailbox.octets == 0


async def test_a_copy_shares_the_surrogate(database: Database) -> None:
    _, [source, target] = await account_with(database, "A", "B")
    append = with_surrogate(source, UTF8)
    await database.write(messages.append, append)
    await database.write(messages.copy, source, [Uid(1)], target, NOW)
    (here,) = await database.read(messages.locate, source, [Uid(1)])
    (there,) = await database.read(messages.locate, target, [Uid(1)])
    assert here == there
    assert append.surrogate_blob is not None
    assert here.blob == append.surrogate_blob.id
    assert (await check(database, target)).mailbox.octets == 140


async def test_a_message_that_has_lost_its_surrogate_is_not_served_raw(database: Database) -> None:
    key, append = await one(database, BINARY)
    assert append.message.surrogate is not None
    await database.write(_lose, append.message.surrogate.message)
    assert [each.uid for each in await database.read(messages.serve, key, [Uid(1), Uid(2), Uid(3)])] == [1, 3]
    assert [each.uid for each in await database.read(messages.locate, key, [Uid(1), Uid(2), Uid(3)])] == [1, 3]
    assert await database.read(messages.locate_present, key, Uid(2)) is None


def _lose(tx: Transaction, id_: MessageId) -> None:
    tx.execute(delete(message).where(message.c.id == id_))


async def test_plain_mail_costs_no_statement_more(database: Database) -> None:
    """One for a page of messages that are all there; the surrogates of a page are two further, however many."""
    _, [key] = await account_with(database, "A")
    await fill(database, key, 3)
    assert await _statements(database, key) == 1
    for _ in range(3):
        await database.write(messages.append, with_surrogate(key, UTF8))
    assert await _statements(database, key) == 3


async def _statements(database: Database, key: MailboxKey) -> int:
    def count(tx: Transaction) -> int:
        seen = 0

        class Counting:
            def found(self, *asked: Any) -> Any:
                nonlocal seen
                seen += 1
                return tx.found(*asked)

        uids = [Uid(uid) for uid, _ in messages.sizes(tx, key)]
        messages.serve(Counting(), key, uids)  # type: ignore[arg-type]  # all that it uses of a transaction
        return seen

    return await database.read(count)
