"""What IMAP sessions do to mailboxes is told as events, with UIDs in a text of bounded length."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from mailhost.events.event import Event
from mailhost.ids import Uid
from mailhost.imap.responses import uid_set
from mailhost.imap.stored import MOST_RANGES, ranges
from mailhost.store.values import MailboxKey
from tests.transcripts.world import World, sample_message
from tests.unit.imap.talk import in_world, logged_in


@given(st.sets(st.integers(1, 200)).map(sorted))
def test_ranges_are_what_a_set_would_say_up_to_a_bound(uids: list[Uid]) -> None:
    whole = uid_set(uids).split(",")
    assert ranges(uids).removesuffix(",...").split(",") == whole[:MOST_RANGES]
    assert ranges(uids).endswith(",...") == (len(whole) > MOST_RANGES)


def test_ranges_of_a_large_mailbox() -> None:
    assert ranges([Uid(uid) for uid in range(1, 50_001)]) == "1:50000"
    assert len(ranges([Uid(uid) for uid in range(1, 100_000, 2)])) < 1_000
    assert ranges([]) == ""


def test_each_command_that_changes_the_store_tells_it_once(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        heard: list[Event] = []
        for number in (1, 2, 3):
            await here.deliver(sample_message(number))
        keys = {}
        for name in ("INBOX", "Archive"):
            found = await here.mailbox(name)
            keys[MailboxKey(found.account, found.id)] = name
        here.services.events.subscribe(heard.append)

        async def told(line: bytes) -> list[tuple[str, str, str, int]]:
            heard.clear()
            assert b"a OK" in await one.ask(b"a " + line + b"\r\n")
            stored = [event for event in heard if event.kind.startswith("store.")]
            assert all(event.connection is not None for event in stored)
            data = [(event.kind, event.data) for event in stored]
            return [(kind, keys[each["mailbox"]], each["uids"], each["messages"]) for kind, each in data]

        async with logged_in(here, selected="INBOX") as one:
            assert await told(b"STORE 1:2 +FLAGS (\\Flagged)") == [("store.flag", "INBOX", "1:2", 2)]
            assert await told(b"STORE 1:2 +FLAGS (\\Flagged)") == []
            assert await told(b"FETCH 3 BODY[]") == [("store.flag", "INBOX", "3", 1)]
            assert await told(b"FETCH 3 BODY[]") == []
            assert await told(b"COPY 1,3 Archive") == [("store.add", "Archive", "1:2", 2)]
            assert await told(b"MOVE 2 Archive") == [
                ("store.add", "Archive", "3", 1),
                ("store.expunge", "INBOX", "2", 1),
            ]
            assert await told(b"APPEND Archive {4+}\r\na: b") == [("store.add", "Archive", "4", 1)]
            assert await told(b"EXPUNGE") == []
            assert await told(b"UID STORE 1,3 FLAGS.SILENT (\\Deleted)") == [("store.flag", "INBOX", "1,3", 2)]
            assert await told(b"UID EXPUNGE 1") == [("store.expunge", "INBOX", "1", 1)]
            assert await told(b"CLOSE") == [("store.expunge", "INBOX", "3", 1)]

    in_world(tmp_path, template, act)
