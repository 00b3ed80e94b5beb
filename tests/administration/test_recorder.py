"""The recorder gathers events and writes them beside the mail: together, in pieces of bounded size, and never at any price."""

import asyncio

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.events import event
from mailhost.events.event import Event, Events
from mailhost.events.messages import Messages
from mailhost.ids import AccountId, ConnectionId, MailboxId, Millis, Uid, fresh
from mailhost.trace import entries
from mailhost.trace.entries import MOVED
from mailhost.trace.recorder import MOST_UIDS, Recorder, RecorderSettings

ACCOUNT, INBOX, ARCHIVE = AccountId(1), MailboxId(2), MailboxId(3)
START = Millis(0)


def of(uids: list[int], mailbox: MailboxId = INBOX) -> Messages:
    return Messages(ACCOUNT, mailbox, "a mailbox", [Uid(uid) for uid in uids])


def fetched(events: Events, uids: list[int], connection: int = 1) -> None:
    events.publish(
        event.STORE_FETCH, connection=ConnectionId(connection), data={"messages": of(uids), "count": len(uids)}
    )


async def test_a_client_that_fetches_one_by_one_leaves_one_entry_a_moment(database: Database) -> None:
    events = Events()
    recorder = Recorder(database, events)
    events.subscribe(recorder)
    for uid in (3, 1, 2, 9, 2):
        fetched(events, [uid])
    fetched(events, [1], connection=2)
    await recorder.flush()
    first, second = await database.read(entries.of_message, INBOX, Uid(1), START)
    assert (first.uids, second.uids) == ("1:3,9", "1")
    assert await database.read(entries.of_message, INBOX, Uid(5), START) == []  # between the ends, and none of them
    fetched(events, [4])
    await recorder.flush()
    assert [each.uids for each in await database.read(entries.of_message, INBOX, Uid(4), START)] == ["4"]


async def test_a_move_of_a_large_mailbox_gives_several_entries_and_each_message_is_followed(database: Database) -> None:
    events = Events()
    recorder = Recorder(database, events)
    events.subscribe(recorder)
    sources, targets = list(range(1, 24_000, 2)), list(range(101, 12_101))
    moved = {"count": 12_000, "source": of(sources), "moved": True}
    events.publish(event.STORE_ADD, connection=ConnectionId(1), data={"messages": of(targets, ARCHIVE), **moved})
    await recorder.flush()
    for place in (0, 1, MOST_UIDS - 1, MOST_UIDS, 11_999):
        (entry,) = await database.read(entries.of_message, INBOX, Uid(sources[place]), START)
        assert entry.kind == MOVED
        within = entry.place_of(Uid(sources[place]))
        assert within is not None
        assert entry.data["to_uid"] + within == targets[place]


async def test_a_database_that_cannot_be_written_costs_events_and_the_log_says_so_once(database: Database) -> None:
    events, heard = Events(), list[Event]()
    recorder = Recorder(database, events, RecorderSettings(most_waiting=2))
    events.subscribe(recorder)
    events.subscribe(heard.append)
    write = database.write

    async def fail(*_: object) -> None:
        raise CommitFailed("the disk is full")

    database.write = fail  # type: ignore[method-assign,assignment]  # as a full disk would
    for uid in (1, 2):
        fetched(events, [uid])
        await recorder.flush()
    assert [each.cause for each in heard if each.kind == event.FAULT] == [
        "the trace could not be written, some of it is lost: the disk is full"
    ]
    database.write = write  # type: ignore[method-assign]
    for connection in range(5):
        fetched(events, [3], connection)
    await recorder.flush()
    assert len(await database.read(entries.of_message, INBOX, Uid(3), START)) == 2


async def test_it_writes_by_itself_and_forgets_connections_that_have_closed(database: Database) -> None:
    events = Events()
    recorder = Recorder(database, events, RecorderSettings())
    events.subscribe(recorder)
    running = asyncio.ensure_future(recorder.run())
    peer = ConnectionId(5)
    events.publish(
        event.CONNECTION_OPEN, connection=peer, data={"protocol": "imap", "listener": "imaps", "address": "::1"}
    )
    events.publish(event.AUTH_OK, connection=peer, data={"user": "bob@example.org"})
    fetched(events, [1], peer)
    events.publish(event.CONNECTION_CLOSE, connection=peer)
    fetched(events, [2], peer)
    async with asyncio.timeout(10):
        while not (found := await database.read(entries.of_message, INBOX, Uid(1), START)):
            await asyncio.sleep(0.01)
    assert dict(found[0].data) == {"protocol": "imap", "listener": "imaps", "address": "::1", "user": "bob@example.org"}
    running.cancel()
    events.publish(event.AUTH_FAIL, connection=peer, cause="wrong", data={"user": "BOB@example.org"})
    await recorder.flush()
    (failure,) = await database.read(entries.about, ("bob@",), 10)
    assert dict(failure.data) == {"cause": "wrong", "user": "BOB@example.org"}
    assert failure.id < fresh()
