"""Ledger, trace and store answer in plain words, on both engines."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from mailhost.administration.journeys import Incident, Journey, trace
from mailhost.administration.trace import as_values, sentences
from mailhost.database.database import Database
from mailhost.events import event
from mailhost.events.event import Events
from mailhost.events.messages import Messages
from mailhost.ids import ConnectionId, MailboxId, Uid, UidValidity, fresh, now, text_of
from mailhost.store import flags, mailboxes, messages
from mailhost.store.flags import FlagChange
from mailhost.store.values import FlagAction, Flags, MailboxKey
from mailhost.trace.recorder import Recorder, RecorderSettings
from tests.administration.test_audit import inbox, office, send
from tests.engines import Place

PEER = ConnectionId(7)


async def said(database: Database, *words: str) -> list[str]:
    return [line for found in await trace(database, words) for line in sentences(found)]


async def journey_of(database: Database, *words: str) -> Journey:
    (found,) = await trace(database, words)
    assert isinstance(found, Journey)
    return found


@asynccontextmanager
async def watched(database: Database, protocol: str = "pop3", **settings: Any) -> AsyncIterator[Events]:
    """Events of one connection, written when the block ends."""
    events = Events()
    recorder = Recorder(database, events, RecorderSettings(**settings))
    events.subscribe(recorder)
    data = {"protocol": protocol, "listener": f"{protocol}s", "address": "192.0.2.9"}
    events.publish(event.CONNECTION_OPEN, connection=PEER, data=data)
    yield events
    await recorder.flush()


async def messages_of(database: Database, user: str, uids: Sequence[int], name: str = "INBOX") -> Messages:
    box = await inbox(database, user)
    found = await database.read(mailboxes.find, box.account, name)
    return Messages(found.account, found.id, name, [Uid(uid) for uid in uids])


async def test_a_recipient_here_is_told_with_its_mailbox_and_uid(database: Database, place: Place) -> None:
    async with office(database, place):
        first, named, *rest = await said(database, "carol@example.org")
    assert "accepted " in first
    assert "from <a@b.example> (192.0.2.1), 1 octets, for 3 recipients" in first
    assert named == "  Subject: large   Message-ID: <1@b.example>"
    assert [line.partition(", ")[0] for line in rest if not line.startswith("    ")] == [
        "  alice@example.org: stored in INBOX as UID 2",
        "  bob@example.org: stored in INBOX as UID 2",
        "  carol@example.org: stored in INBOX as UID 1",
    ]


async def test_the_store_itself_tells_where_a_copy_is_now(database: Database, place: Place) -> None:
    """Without a single event: a crash may have cost them."""
    async with office(database, place):
        key = MailboxKey((await inbox(database, "bob")).account, (await inbox(database, "bob")).id)
        change = FlagChange(key, (Uid(2),), FlagAction.ADD, Flags(0), ("work",))
        await database.write(flags.change, change)
        lines = await said(database, "carol@example.org")
    now_lines = [line for line in lines if line.startswith("    ")]
    assert now_lines[0] == "    now in INBOX as UID 2, not read"
    assert now_lines[1] == "    now in INBOX as UID 2, marked work"
    assert now_lines[2].endswith("deleted; by whom was not recorded")
    assert len(now_lines) == 3


async def test_what_its_owner_did_with_it_is_told_in_order(database: Database, place: Place) -> None:
    async with office(database, place):
        of = await messages_of(database, "alice", [1, 2])
        key = MailboxKey(of.account, of.mailbox)
        async with watched(database, "imap") as events:
            events.publish(event.CLIENT_ID, connection=PEER, data={"said": {"name": "Thunderbird"}})
            for _ in range(3):
                events.publish(event.STORE_FETCH, connection=PEER, data={"messages": of, "count": 2})
            events.publish(
                event.STORE_FLAG, connection=PEER, data={"messages": of, "count": 2, "change": "+FLAGS (\\Seen)"}
            )
            archive = await messages_of(database, "alice", [1, 2], "Archive")
            await database.write(messages.move, key, of.uids, MailboxKey(archive.account, archive.mailbox), now())
            moved = {"count": 2, "source": of, "moved": True}
            events.publish(event.STORE_ADD, connection=PEER, data={"messages": archive, **moved})
            events.publish(event.STORE_EXPUNGE, connection=PEER, data={"messages": of, "count": 2, "moved": True})
        (recipient,) = [
            each
            for each in (await journey_of(database, "carol@")).copies
            if each.delivery.recipient.startswith("alice")
        ]
        lines = await said(database, "carol@")
    alice = lines[lines.index(next(line for line in lines if line.startswith("  alice"))) + 1 :]
    by = " by IMAP from 192.0.2.9 (Thunderbird)"
    assert [line[13:] for line in alice[:3]] == [
        f"fetched{by}",
        f"marked \\Seen{by}",
        f"moved to Archive as UID 2{by}",
    ]
    assert alice[3] == "    now in Archive as UID 2, not read"  # the store knows better than a made-up event
    assert [(each.now.mailbox, each.now.is_there) for each in recipient.places] == [("INBOX", False), ("Archive", True)]
    assert recipient.mailbox == "INBOX"


async def test_fetched_by_pop3_and_deleted(database: Database, place: Place) -> None:
    async with office(database, place):
        of = await messages_of(database, "bob", [2])
        async with watched(database) as events:
            events.publish(event.STORE_FETCH, connection=PEER, data={"messages": of, "count": 1})
            await database.write(messages.expunge, MailboxKey(of.account, of.mailbox), of.uids, now())
            events.publish(event.STORE_EXPUNGE, connection=PEER, data={"messages": of, "count": 1})
        lines = await said(database, "bob@example.org", "carol@example.org")
        values = as_values(await journey_of(database, "carol@"))
    bob = lines[lines.index(next(line for line in lines if line.startswith("  bob"))) + 1 :]
    assert [line[13:] for line in bob[:2]] == ["fetched by POP3 from 192.0.2.9", "deleted by POP3 from 192.0.2.9"]
    assert bob[2].startswith("  carol")
    steps = values["recipients"][1]["steps"]
    assert [(each["kind"], each["protocol"], each["mailbox"]) for each in steps] == [
        ("store.fetch", "pop3", "INBOX"),
        ("store.expunge", "pop3", "INBOX"),
    ]
    assert values["recipients"][1]["places"][0]["is_there"] is False
    assert json.loads(json.dumps(values)) == values


async def test_the_same_again_and_again_is_told_once(database: Database, place: Place) -> None:
    async with office(database, place):
        of = await messages_of(database, "bob", [2])
        for _ in range(3):
            async with watched(database) as events:
                events.publish(event.STORE_FETCH, connection=PEER, data={"messages": of, "count": 1})
        lines = await said(database, "carol@")
    (fetched,) = [line for line in lines if "fetched" in line]
    assert "fetched by POP3 from 192.0.2.9 (3 times, the last " in fetched


async def test_a_recipient_elsewhere_waits_and_is_never_called_delivered(database: Database, place: Place) -> None:
    async with office(database, place):
        lines = await said(database, "elsewhere")
    assert lines[2:] == ["  somebody@elsewhere.example: waiting for relay to elsewhere.example, not sent"]


async def test_an_alias_is_told_with_those_it_stands_for(database: Database, place: Place) -> None:
    async with office(database, place):
        first, _, alias, *targets = await said(database, "both@example.org")
    assert first.endswith("for 1 recipient")
    assert alias.startswith("  both@example.org: an alias: it went to the addresses below ")
    names = [line.split(":")[0] for line in targets if not line.startswith("    ")]
    assert names == ["  alice@example.org", "  bob@example.org"]


async def test_what_was_refused_is_found_by_its_addresses(database: Database, place: Place) -> None:
    async with office(database, place):
        async with watched(database, "smtp") as events:
            data = {"sender": "Eve@far.example", "recipients": ["nobody@example.org"], "state": "mail"}
            events.publish(event.REFUSED, connection=PEER, cause="550 5.1.1 No such user here", data=data)
            events.publish(event.REFUSED, connection=PEER, cause="500 5.5.2 Unknown command", data={"state": "mail"})
            failed = {"user": "bob@example.org", "address": "192.0.2.9"}
            events.publish(event.AUTH_FAIL, connection=PEER, cause="wrong user or password", data=failed)
        (line,) = await said(database, "NOBODY@example.org", "eve@")
        assert line.split(" ", 3)[3] == (
            "refused: a message from <Eve@far.example> for nobody@example.org; answered 550 5.1.1 No such user here"
            " (192.0.2.9 by smtps)"
        )
        assert len(await said(database, "192.0.2.9")) == 2
        (incident,) = [each for each in await trace(database, ["bob@example.org"]) if isinstance(each, Incident)]
        assert as_values(incident)["cause"] == "wrong user or password"
        assert "login refused as bob@example.org: wrong user or password" in "".join(sentences(incident))


async def test_where_a_message_went_is_known_though_no_event_tells_it(database: Database, place: Place) -> None:
    """A crash has cost the event of a MOVE; RENAME INBOX has none."""
    async with office(database, place):
        of = await messages_of(database, "alice", [2])
        archive = await messages_of(database, "alice", [1], "Archive")
        source, target = (MailboxKey(each.account, each.mailbox) for each in (of, archive))
        await database.write(messages.move, source, of.uids, target, now())
        lines = await said(database, "carol@")
        alice = lines[lines.index(next(line for line in lines if line.startswith("  alice"))) + 1 :]
        assert alice[0] == "    now in Archive as UID 1, not read"
        assert alice[1].startswith("  bob")
        bob = await inbox(database, "bob")
        renamed = MailboxId(fresh()), "Old", UidValidity(7), now()
        await database.write(mailboxes.empty_into, bob.account, *renamed)
        lines = await said(database, "carol@")
        assert "    now in Old as UID 2, not read" in lines
        assert not [line for line in lines if "by whom" in line and "carol" not in lines[lines.index(line) - 1]]


async def test_the_way_of_a_message_is_found_behind_a_thousand_events(database: Database, place: Place) -> None:
    async with office(database, place):
        of = await messages_of(database, "alice", [2])
        archive = await messages_of(database, "alice", [1], "Archive")
        async with watched(database, "imap") as events:
            for _ in range(1_200):
                change = {"messages": of, "count": 1, "change": "+FLAGS (x)"}
                events.publish(event.STORE_FLAG, connection=PEER, data=change)
            moved = {"messages": archive, "count": 1, "source": of, "moved": True}
            events.publish(event.STORE_ADD, connection=PEER, data=moved)
            for _ in range(600):
                events.publish(event.STORE_FLAG, connection=PEER, data=change)
        lines = await said(database, "carol@")
    assert any("moved to Archive as UID 1 by IMAP" in line for line in lines)


async def test_what_strangers_say_is_cleaned_and_cut(database: Database, place: Place) -> None:
    async with office(database, place):
        async with watched(database, "imap") as events:
            user = "\x00\x1b]0;pwn\x07" + "q" * 60_000 + "@example.org"
            events.publish(event.AUTH_FAIL, connection=PEER, cause="wrong", data={"user": user, "address": "192.0.2.9"})
            sender = {"sender": "\x00" + "s" * 5_000, "recipients": ["r" * 5_000] * 20}
            events.publish(event.REFUSED, connection=PEER, cause="550 \x1b", data=sender)
        found = [each.entry for each in await trace(database, ["192.0.2.9"]) if isinstance(each, Incident)]
        assert [each.kind for each in found] == ["auth.fail", "refused"]
        for entry in found:
            assert (entry.about or "").isprintable()
            assert len(str(entry.data)) < 20_000
        assert all(line.isprintable() for each in found for line in sentences(Incident(each)))


async def test_one_stranger_s_flood_does_not_hide_what_befell_another(database: Database, place: Place) -> None:
    async with office(database, place):
        async with watched(database, "smtp", most_a_minute=100) as events:
            other = {"protocol": "smtp", "listener": "smtp", "address": "198.51.100.1"}
            events.publish(event.CONNECTION_OPEN, connection=ConnectionId(8), data=other)
            for number in range(500):
                data = {"sender": f"{number}@flood.example", "recipients": ["x@example.org"]}
                events.publish(event.REFUSED, connection=PEER, cause="550", data=data)
            data = {"sender": "carol@quiet.example", "recipients": ["x@example.org"]}
            events.publish(event.REFUSED, connection=ConnectionId(8), cause="550", data=data)
        assert 10 <= len(await said(database, "flood.example")) <= 20  # the minute may turn
        assert len(await said(database, "carol@quiet.example")) == 1


async def test_strangers_cannot_fill_the_trace(database: Database, place: Place) -> None:
    async with office(database, place):
        async with watched(database, "smtp", most_a_minute=30) as events:
            for number in range(10):
                data = {"sender": f"{number}@flood.example", "recipients": ["x@example.org"]}
                events.publish(event.REFUSED, connection=PEER, cause="550", data=data)
        assert 1 <= len(await said(database, "flood.example")) <= 6  # the minute may turn


async def test_all_words_must_fit_and_a_journey_is_one(database: Database, place: Place) -> None:
    async with office(database, place):
        journey = await journey_of(database, "somebody")
        by_name = await trace(database, [text_of(journey.acceptance.journey), "ELSEWHERE.example"])
        assert by_name == [journey]
        assert await trace(database, ["somebody", "alice@example.org"]) == []


async def test_subject_and_message_id_are_words_too(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        subject = b"Subject: =?gb18030?B?t6LGsQ==?= No. 7\r\nMessage-ID: <Seven@shop.example>\r\n\r\nhere it is\r\n"
        await send(database, octets, subject, "bob@example.org")
        for words in (["发票"], ["no. 7"], ["<seven@SHOP.example>"], ["发票", "bob@example.org"]):
            assert (await journey_of(database, *words)).acceptance.subject == "发票 No. 7"
        assert await trace(database, ["发票", "alice@example.org"]) == []


@pytest.mark.parametrize("word", ["%", "_", "'", "\\", "x" * 10_000, "f" * 16])
async def test_what_means_something_in_sql_stands_for_itself(word: str, database: Database, place: Place) -> None:
    async with office(database, place):
        assert await trace(database, [word]) == []


async def test_programs_get_values(database: Database, place: Place) -> None:
    async with office(database, place):
        journey = await journey_of(database, "somebody")
    values = as_values(journey)
    assert values["journey"] == text_of(journey.acceptance.journey)
    assert [(each["state"], each["destination"], each["uid"]) for each in values["recipients"]] == [
        ("waiting", "elsewhere.example", None)
    ]
