"""What IMAP sessions do to mailboxes is told as events, with UIDs in a text of bounded length."""

from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mailhost.events.event import Event
from mailhost.events.messages import MOST_RANGES, Messages, ranges
from mailhost.ids import Uid
from mailhost.imap.responses import uid_set
from tests.transcripts.world import World, sample_message
from tests.unit.imap.talk import in_world, logged_in

SEEN = {"change": "+FLAGS (\\Seen)"}
FLAGGED = {"change": "+FLAGS (\\Flagged)"}


@given(st.sets(st.integers(1, 200)).map(sorted))
def test_ranges_are_what_a_set_would_say_up_to_a_bound(uids: list[Uid]) -> None:
    whole = uid_set(uids).split(",")
    assert ranges(uids).removesuffix(",...").split(",") == whole[:MOST_RANGES]
    assert ranges(uids).endswith(",...") == (len(whole) > MOST_RANGES)


def test_ranges_of_a_large_mailbox() -> None:
    assert ranges([Uid(uid) for uid in range(1, 50_001)]) == "1:50000"
    assert len(ranges([Uid(uid) for uid in range(1, 100_000, 2)])) < 1_000
    assert ranges([]) == ""


def test_each_command_that_changes_the_store_or_reads_mail_tells_it_once(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        heard: list[Event] = []
        for number in (1, 2, 3):
            await here.deliver(sample_message(number))
        keys = {}
        for name in ("INBOX", "Archive"):
            found = await here.mailbox(name)
            keys[found.account, found.id] = name
        here.services.events.subscribe(heard.append)

        async def told(line: bytes) -> list[tuple[str, str, int, dict[str, Any]]]:
            heard.clear()
            assert b"a OK" in await one.ask(b"a " + line + b"\r\n")
            stored = [event for event in heard if event.kind.startswith("store.")]
            assert all(event.connection is not None for event in stored)
            return [_told(event) for event in stored]

        def _told(event: Event) -> tuple[str, str, int, dict[str, Any]]:
            more = dict(event.data)
            of: Messages = more.pop("messages")
            assert keys[of.account, of.mailbox] == of.name
            return event.kind, str(of), more.pop("count"), {name: _plain(value) for name, value in more.items()}

        def _plain(value: object) -> object:
            return str(value) if isinstance(value, Messages) else value

        async with logged_in(here, selected="INBOX") as one:
            assert await told(b"STORE 1:2 +FLAGS (\\Flagged)") == [("store.flag", "INBOX/1:2", 2, FLAGGED)]
            assert await told(b"STORE 1:2 +FLAGS (\\Flagged)") == []
            assert await told(b"STORE 1 FLAGS (\\Flagged work)") == [
                ("store.flag", "INBOX/1", 1, {"change": "FLAGS (\\Flagged work)"})
            ]
            assert await told(b"FETCH 3 BODY[]") == [
                ("store.flag", "INBOX/3", 1, SEEN),
                ("store.fetch", "INBOX/3", 1, {}),
            ]
            assert await told(b"FETCH 3 BODY[1]") == [("store.fetch", "INBOX/3", 1, {})]
            assert await told(b"FETCH 1:3 (ENVELOPE BODY.PEEK[HEADER] BODY.PEEK[HEADER.FIELDS (TO)])") == []
            assert await told(b"COPY 1,3 Archive") == [("store.add", "Archive/1:2", 2, {"source": "INBOX/1,3"})]
            assert await told(b"MOVE 2 Archive") == [
                ("store.add", "Archive/3", 1, {"source": "INBOX/2", "moved": True}),
                ("store.expunge", "INBOX/2", 1, {"moved": True}),
            ]
            assert await told(b"APPEND Archive {4+}\r\na: b") == [("store.add", "Archive/4", 1, {})]
            assert await told(b"EXPUNGE") == []
            assert await told(b"UID STORE 1,3 FLAGS.SILENT (\\Deleted)") == [
                ("store.flag", "INBOX/1,3", 2, {"change": "FLAGS (\\Deleted)"})
            ]
            assert await told(b"UID EXPUNGE 1") == [("store.expunge", "INBOX/1", 1, {})]
            assert await told(b"CLOSE") == [("store.expunge", "INBOX/3", 1, {})]

    in_world(tmp_path, template, act)
