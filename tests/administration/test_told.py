"""What becomes of mail for other hosts, in the administrator's words: a sentence a recipient, with what the answer means."""

import re
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from mailhost.administration import queue
from mailhost.administration.journeys import trace
from mailhost.administration.queue import Act, Choice
from mailhost.administration.trace import Meanings, as_values, sentences
from mailhost.database.database import Database
from mailhost.events.event import Events
from mailhost.ids import Millis, now, text_of
from mailhost.queue.claims import Result
from mailhost.queue.values import Delivery, State
from mailhost.relay.meanings import Language, meaning
from mailhost.trace.recorder import Recorder
from tests.administration.test_queue import DORA, ERIN, bounce, redirected
from tests.delivery.building import NOW
from tests.relay.test_notices import BOB, CAROL, World, deferred, world

MEANINGS = Meanings(
    lambda status, reply: meaning(status, reply).text,
    lambda status, reply: {each.value: meaning(status, reply, language=each).text for each in Language},
)
CLOCK = re.compile(r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d(?: UTC)?")


async def said(here: World, *words: str) -> list[str]:
    """Behind the message's own lines; moments are written TIME, as they depend on the machine."""
    (found,) = await trace(here.database, words)
    lines = [CLOCK.sub("TIME", line) for line in sentences(found, MEANINGS)]
    return [line for line in lines[1:] if not line.startswith("  Subject:")]


def taken(rows: Sequence[Delivery], at: Millis) -> list[Result]:
    said = "mx.blue.test took it", "250 2.0.0 OK q1", "mx.blue.test", at
    return [Result(row.id, State.RELAYED, "2.0.0", *said) for row in rows]


async def test_delivered(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, at=now())
    await here.notices.settle(sent, accepted.deliveries, taken(accepted.deliveries, now()))
    assert await said(here, BOB) == [f"  {BOB}: delivered to mx.blue.test at TIME; it answered 250 2.0.0 OK q1"]


async def test_waiting_for_a_host_that_asks_to_come_again(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(ERIN, at=now())
    (row,) = accepted.deliveries
    later = Millis(sent.at + 900_000)
    asked = "mx.green.test asked to come again", "450 4.7.1 Greylisted", "mx.green.test", now(), later
    await here.notices.settle(sent, [row], [Result(row.id, State.WAITING, "4.7.1", *asked)])
    assert await said(here, ERIN) == [
        (
            f"  {ERIN}: waiting for green.test: mx.green.test asked to come again (450 4.7.1 Greylisted),"
            " next try TIME, tried once"
        ),
        f"    this means: {meaning('4.7.1', '450 4.7.1 Greylisted').text}",
    ]
    (found,) = await trace(database, [ERIN])
    (recipient,) = as_values(found, MEANINGS)["recipients"]
    assert recipient["meaning"]["zh"] == meaning("4.7.1", "450 4.7.1 Greylisted", language=Language.CHINESE).text
    assert recipient["held"] is False


async def test_returned_with_the_journey_of_the_notice(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, _ = await here.send(BOB, at=now())
    await bounce(here, Choice(), "no such customer")
    first, means, act, told = await said(here, BOB)
    assert first == f"  {BOB}: returned to its sender at TIME: returned by the administrator: no such customer"
    assert means == f"    this means: {meaning('5.0.0', None).text}"
    assert re.fullmatch(r"    TIME returned by \S+: no such customer", act)
    found = re.fullmatch(r"  TIME its sender was told of the failure: journey ([0-9a-f]{16})", told)
    assert found is not None
    *_, about = await said(here, found[1])
    assert about == f"  TIME this tells its reader what became of journey {text_of(sent.journey)}"


async def test_given_up(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, at=now(), notify="NEVER")
    (row,) = accepted.deliveries
    why = "mx.blue.test was silent for too long at RCPT", None, "mx.blue.test", now()
    await here.notices.settle(sent, [row], [Result(row.id, State.EXPIRED, "4.4.2", *why)])
    assert await said(here, BOB) == [
        f"  {BOB}: given up after its time at TIME: mx.blue.test was silent for too long at RCPT",
        f"    this means: {meaning('4.4.2', None).text}",
    ]


async def test_held_put_off_and_cancelled(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    await here.send(BOB, CAROL, at=now())
    await queue.act(database, Choice(recipient="bob"), Act("hold"))
    await queue.act(database, Choice(recipient="carol"), Act("reschedule", Millis(now() + 60_000)))
    await queue.act(database, Choice(recipient="carol"), Act("cancel"))
    held, held_by, cancelled, put_off_by, cancelled_by = await said(here, BOB)
    assert held == (f"  {BOB}: held by the administrator: relay to other hosts; `mailhost queue release` lets it go")
    assert held_by.startswith("    TIME held by ")
    assert cancelled == f"  {CAROL}: cancelled at TIME: cancelled by the administrator"
    assert re.fullmatch(r"    TIME put off by \S+ until TIME", put_off_by)
    assert cancelled_by.startswith("    TIME cancelled by ")


async def test_redirected(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    await here.send(BOB, at=now())
    await redirected(here, Choice(), DORA)
    parent, act, child = await said(here, BOB)
    assert parent == f"  {BOB}: redirected to {DORA} by the administrator at TIME"
    assert act.startswith(f"    TIME redirected to {DORA} by ")
    assert (
        child == f"  {DORA}: waiting to be stored here: redirected by the administrator, next try TIME, not tried yet"
    )


async def test_a_delay_and_a_notice_that_is_withheld(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, at=Millis(now() - timedelta(hours=5) // timedelta(milliseconds=1)))
    await here.notices.settle(sent, accepted.deliveries, deferred(accepted.deliveries, at=now() - NOW))
    assert (await said(here, BOB))[-1].startswith("  TIME its sender was told of the delay: journey ")
    events = Events()
    recorder = Recorder(database, events)
    events.subscribe(recorder)
    events.publish("notice.withheld", journey=sent.journey, cause="it is a report itself", data={"sender": "x@y"})
    await recorder.flush()
    assert (await said(here, BOB))[-1] == "  TIME its sender was not told: it is a report itself"


async def test_a_message_to_very_many_is_told_in_part(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    await here.send(*(f"x{number}@blue.test" for number in range(120)), at=now())
    lines = await said(here, "x7@blue.test")
    assert len(lines) == 101
    assert lines[-1] == "  ... and 20 more recipients; --json tells of all"
