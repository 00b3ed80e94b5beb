"""From the ledger over a real socket to a host, and back into the ledger: each recipient's own end."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mailhost.database.database import Database
from mailhost.delivery.directory import Directory
from mailhost.events.event import FAULT, Event, Events, Sink
from mailhost.ids import now
from mailhost.queue import entries
from mailhost.queue.values import Acceptance, Delivery, Share, State
from mailhost.relay.attempt import Connector, RelaySettings, Trouble
from mailhost.relay.contents import Contents
from mailhost.relay.dns import Resolver
from mailhost.relay.envelope import batches, is_too_many
from mailhost.relay.handover import HandOver
from mailhost.relay.job import jobs_of
from mailhost.relay.lane import MOST_BREAKS, Lane, LaneSettings, Tools
from mailhost.relay.notices import Notices, NoticeSettings
from mailhost.relay.outcome import Outcomes
from mailhost.relay.routes import Routes
from mailhost.relay.schedule import Schedule
from mailhost.relay.slots import Slots
from mailhost.smtp.client.dialogue import Timeouts
from mailhost.smtp.client.heard import Heard
from mailhost.smtp.client.hello import Abilities
from mailhost.store.octets import BlobStore
from tests.relay.hosts import Host, serving, twisted_here
from tests.relay.waiting import PREFIX, accepted, claimed, store

TEXT = b"Subject: x\r\n\r\n.dot\r\n"
QUICK = Timeouts(greeting=5, command=5, data=5, block=5, end=5, message=10)


class OneLane(Lane):
    """With what its owner would do for it."""

    outcomes: Outcomes


@asynccontextmanager
async def lane_to(
    host: Host, database: Database, folder: Path, protocol: str = "smtp", watch: Sink | None = None
) -> AsyncIterator[tuple[OneLane, BlobStore, Events]]:
    """A lane whose only connection leads to this host."""
    async with twisted_here(), serving(host) as port:
        routes = Routes({"*": f"{protocol}:[127.0.0.1]:{port}"})
        settings = RelaySettings("me.test", timeouts=QUICK, routes=routes)
        resolver = Resolver([("127.0.0.1", 9)], timedelta(seconds=1))
        blobs, events = store(database, folder), Events()
        if watch is not None:
            events.subscribe(watch, lines=True)
        told = Notices(database, blobs, Directory(database), events, Schedule(), NoticeSettings("me.test"))
        outcomes = Outcomes(database, told, events, told.schedule, now, lambda *_: None)
        tools = Tools(
            Connector(resolver, settings, events=events), HandOver(Contents(blobs), outcomes, events), Slots(10)
        )
        lane = OneLane("blue.test", tools, LaneSettings(1))
        lane.outcomes = outcomes
        yield lane, blobs, events
        await lane.end(5)


async def ends(database: Database, acceptance: Acceptance) -> dict[str, Delivery]:
    rows = await database.read(entries.of_journey, acceptance.journey)
    return {each.recipient: each for each in rows}


class Picky(Host):
    """Answers RCPT by the recipient."""

    def __init__(self, answers: dict[str, str], **how: Any) -> None:
        super().__init__(**how)
        self.answers = answers
        self.taken = 0

    def _usual(self, verb: str, extensions: list[str]) -> str:
        if verb == "RCPT":
            path = self.heard[-1].split("<")[1].split(">")[0]
            return self.answers.get(path, "250 2.1.5 ok")
        return super()._usual(verb, extensions)


async def carry(lane: OneLane, database: Database, *destinations: str, priority: int = 0) -> Trouble | None:
    """All that is due; answers with why nobody was there."""
    shares = [Share(each, priority=priority) for each in destinations or ("blue.test",)]
    lane.add(jobs_of(await claimed(database, *shares)))
    while not lane.is_done and lane.trouble is None:
        await lane.changed()
    if (trouble := lane.trouble) is not None:
        for job in lane.take_back():
            await lane.outcomes.failed(job.acceptance, job.deliveries, trouble)
    return trouble


async def test_each_recipient_ends_by_its_own_answer(database: Database, tmp_path: Path) -> None:
    host = Picky({"b@blue.test": "550 5.1.1 no such user", "c@blue.test": "450 4.2.1 come again"})
    async with lane_to(host, database, tmp_path) as (lane, blobs, _):
        one = await accepted(database, blobs, TEXT, "a@blue.test", "b@blue.test", "c@blue.test")
        await carry(lane, database)
        found = await ends(database, one)
    assert [each.state for each in found.values()] == [State.RELAYED, State.BOUNCED, State.WAITING]
    assert [each.status for each in found.values()] == ["2.0.0", "5.1.1", "4.2.1"]
    assert host.contents == [PREFIX + b"Subject: x\r\n\r\n..dot\r\n.\r\n"]


async def test_closed_behind_the_dot_waits_and_says_why(database: Database, tmp_path: Path) -> None:
    """Who was refused before is not asked again."""

    class Closing(Picky):
        def _say(self, writer: asyncio.StreamWriter, reply: str) -> None:
            if reply == "hang up":
                raise ConnectionError
            super()._say(writer, reply)

    host = Closing({"b@blue.test": "550 5.1.1 no such user"}, replies={"dot": "hang up"})
    async with lane_to(host, database, tmp_path) as (lane, blobs, _):
        one = await accepted(database, blobs, TEXT, "a@blue.test", "b@blue.test")
        await carry(lane, database)
        found = await ends(database, one)
    assert [each.state for each in found.values()] == [State.WAITING, State.BOUNCED]
    assert "unknown whether it was taken" in (found["a@blue.test"].reason or "")


async def test_lmtp_broken_off_in_the_middle_of_its_answers_makes_no_duplicate(
    database: Database, tmp_path: Path
) -> None:
    class Half(Host):
        def _say(self, writer: asyncio.StreamWriter, reply: str) -> None:
            if reply == "hang up":
                raise ConnectionError
            super()._say(writer, reply)

    host = Half(lmtp=["250 2.0.0 stored", "hang up"])
    async with lane_to(host, database, tmp_path, "lmtp") as (lane, blobs, _):
        one = await accepted(database, blobs, TEXT, "a@blue.test", "b@blue.test")
        await carry(lane, database)
        found = await ends(database, one)
    assert [each.state for each in found.values()] == [State.RELAYED, State.WAITING]


async def test_too_many_recipients_go_on_in_the_next_transaction(database: Database, tmp_path: Path) -> None:
    """At once, and on the same connection (RFC 5321 section 4.5.3.1.10)."""

    class Small(Host):
        def _usual(self, verb: str, extensions: list[str]) -> str:
            if verb == "RCPT":
                since = len(self.heard) - 1 - max(at for at, line in enumerate(self.heard) if line.startswith("MAIL"))
                return "250 2.1.5 ok" if since <= 2 else "452 4.5.3 too many"
            return super()._usual(verb, extensions)

    host = Small()
    async with lane_to(host, database, tmp_path) as (lane, blobs, _):
        one = await accepted(database, blobs, TEXT, *(f"u{at}@blue.test" for at in range(5)))
        await carry(lane, database)
        found = await ends(database, one)
    assert {each.state for each in found.values()} == {State.RELAYED}
    assert (len(host.contents), host.connections) == (3, 1)


async def test_limits_of_the_host_are_kept(database: Database, tmp_path: Path) -> None:
    """RFC 9422: recipients of one transaction, transactions of one connection."""
    host = Host(["LIMITS RCPTMAX=2 MAILMAX=2"])
    async with lane_to(host, database, tmp_path) as (lane, blobs, _):
        one = await accepted(database, blobs, TEXT, *(f"u{at}@blue.test" for at in range(7)))
        await carry(lane, database)
        found = await ends(database, one)
    assert {each.state for each in found.values()} == {State.RELAYED}
    assert (len(host.contents), host.connections) == (4, 2)


async def test_too_large_bounces_without_asking_twice(database: Database, tmp_path: Path) -> None:
    host = Host(["SIZE 20"])
    async with lane_to(host, database, tmp_path) as (lane, blobs, _):
        one = await accepted(database, blobs, TEXT, "a@blue.test")
        await carry(lane, database)
        found = (await ends(database, one))["a@blue.test"]
    assert (found.state, found.status, found.reply) == (State.BOUNCED, "5.3.4", None)
    assert "takes 20 at most" in (found.reason or "")
    assert "MAIL" not in " ".join(host.heard)


async def test_what_the_sender_wants_to_hear_is_passed_on(database: Database, tmp_path: Path) -> None:
    host = Host(["DSN"])
    originals: Sequence[str | None] = ["rfc822;office+x@red.test", None]
    async with lane_to(host, database, tmp_path) as (lane, blobs, _):
        await accepted(
            database, blobs, TEXT, "a b@blue.test", "c@blue.test", originals=originals, ret="HDRS", envid="a b"
        )
        await carry(lane, database)
    assert host.heard[1:4] == [
        "MAIL FROM:<alice@red.test> RET=HDRS ENVID=a+20b",
        'RCPT TO:<"a b"@blue.test> NOTIFY=FAILURE ORCPT=rfc822;office+2Bx@red.test',
        "RCPT TO:<c@blue.test> NOTIFY=FAILURE",
    ]


@pytest.mark.parametrize("greeting", ["421 4.3.2 later", "554 no"])
async def test_a_host_that_does_not_greet_is_the_destinations_trouble(
    greeting: str, database: Database, tmp_path: Path
) -> None:
    async with lane_to(Host(greeting=greeting), database, tmp_path) as (lane, blobs, _):
        one = await accepted(database, blobs, TEXT, "a@blue.test")
        assert await carry(lane, database) is not None
        found = (await ends(database, one))["a@blue.test"]
    assert found.state is State.WAITING


class Allergic(Host):
    """Hangs up at whatever holds a certain word."""

    async def content(self, reader: asyncio.StreamReader) -> bytes:
        taken = await super().content(reader)
        if b"poison" in taken:
            raise ConnectionError
        return taken


async def test_a_message_that_its_host_cannot_bear_keeps_no_other_from_it(database: Database, tmp_path: Path) -> None:
    host = Allergic()
    async with lane_to(host, database, tmp_path) as (lane, blobs, _):
        texts = (TEXT + b"poison\r\n", TEXT, TEXT)
        mail = [await accepted(database, blobs, text, "a@blue.test") for text in texts]
        assert await carry(lane, database) is None
        found = [(await ends(database, one))["a@blue.test"].state for one in mail]
    assert found == [State.WAITING, State.RELAYED, State.RELAYED]


async def test_a_host_that_breaks_off_again_and_again_is_left_for_later(database: Database, tmp_path: Path) -> None:
    host = Allergic()
    async with lane_to(host, database, tmp_path) as (lane, blobs, _):
        mail = [await accepted(database, blobs, b"poison\r\n", "a@blue.test") for _ in range(10)]
        assert await carry(lane, database) is not None
        found = [(await ends(database, one))["a@blue.test"] for one in mail]
    assert {each.state for each in found} == {State.WAITING}
    assert {each.tries for each in found} == {1}
    assert host.connections == MOST_BREAKS


async def test_a_message_that_cannot_be_read_waits_and_the_others_go(database: Database, tmp_path: Path) -> None:
    async with lane_to(Host(), database, tmp_path) as (lane, blobs, events):
        faults: list[Event] = []
        events.subscribe(lambda event: faults.append(event) if event.kind == FAULT else None)
        large, small = b"x: y\r\n\r\n" + b"x" * 70_000 + b"\r\n", TEXT
        mail = [await accepted(database, blobs, text, "a@blue.test") for text in (large, small)]
        blobs.remove_file(mail[0].blob)
        assert await carry(lane, database) is None
        found = [(await ends(database, one))["a@blue.test"] for one in mail]
    assert [each.state for each in found] == [State.WAITING, State.RELAYED]
    assert "cannot be read" in (found[0].reason or "")
    assert [each.journey for each in faults] == [mail[0].journey]


def rows(*destinations: str) -> list[Delivery]:
    return [Delivery(at, 1, None, f"u@{each}", "", each, State.WAITING) for at, each in enumerate(destinations)]  # type: ignore[arg-type]


def test_batches_by_recipients_and_by_domains() -> None:
    some = rows("a", "a", "b", "a", "c", "c")
    sizes = [len(each) for each in batches(some, Abilities({"LIMITS": "RCPTMAX=3 RCPTDOMAINMAX=2"}))]
    assert sizes == [3, 3]
    assert [len(each) for each in batches(some, Abilities({"LIMITS": "RCPTDOMAINMAX=1"}))] == [2, 1, 1, 2]
    assert [len(each) for each in batches(rows(*["a"] * 250), Abilities())] == [100, 100, 50]


def test_a_full_mailbox_is_not_too_many_recipients() -> None:
    assert is_too_many(Heard(452, "", ("too many",)))
    assert not is_too_many(Heard(452, "4.2.2", ("full",)))
