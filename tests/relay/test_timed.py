"""DELIVERBY and MT-PRIORITY on the way to another host, over real sockets, and what the sender hears (RFC 2852, RFC 6710)."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from mailhost.database.database import Database
from mailhost.ids import Millis, now
from mailhost.queue.values import Delivery, State
from tests.relay.hosts import Host
from tests.relay.test_lane import TEXT, carry, ends, lane_to
from tests.relay.test_notices import BOB, came_to, status_of, text_of, world
from tests.relay.waiting import accepted, all_waiting

pytestmark = pytest.mark.slow

DELIVERBY = "DELIVERBY 10"


async def to(
    host: Host, database: Database, folder: Path, seconds: float, mode: str, **how: Any
) -> tuple[Delivery, list[str]]:
    """What becomes of a message with so many seconds left, and who gets notices."""
    async with lane_to(host, database, folder) as (lane, blobs, _):
        moment = Millis(now() + int(seconds * 1000))
        one = await accepted(database, blobs, TEXT, "a@blue.test", deliver_by=moment, by_mode=mode, **how)
        await carry(lane, database, priority=one.priority)
        row = (await ends(database, one))["a@blue.test"]
    notices = await all_waiting(database, destination="red.test")
    return row, [each.delivery.recipient for each in notices]


def mail_of(host: Host) -> list[str]:
    return [line for line in host.heard if line.startswith("MAIL")]


async def test_what_is_left_of_the_time_is_told_with_the_mode(database: Database, tmp_path: Path) -> None:
    host = Host([DELIVERBY, "MT-PRIORITY"])
    row, notices = await to(host, database, tmp_path, 60, "R", priority=-2)
    assert (row.state, notices) == (State.RELAYED, [])
    (mail,) = mail_of(host)
    told = re.fullmatch(r"MAIL FROM:<alice@red\.test> BY=(\d+);R MT-PRIORITY=-2", mail)
    assert told, mail
    assert 40 <= int(told[1]) <= 60


@pytest.mark.parametrize(
    ("extensions", "seconds", "reason"),
    [
        ([], 60, "it is to be returned when it is late, and the host does not know DELIVERBY ([127.0.0.1])"),
        (["DELIVERBY 3600"], 60, "the host does not promise that in less than 3600"),
    ],
)
async def test_who_cannot_keep_the_time_does_not_get_what_is_to_be_returned(
    database: Database, tmp_path: Path, extensions: list[str], seconds: int, reason: str
) -> None:
    host = Host(extensions)
    row, notices = await to(host, database, tmp_path, seconds, "R")
    assert (row.state, row.status) == (State.BOUNCED, "5.4.7")
    assert reason in (row.reason or "")
    assert (mail_of(host), notices) == ([], ["alice@red.test"])


async def test_what_is_too_late_is_not_sent_any_more(database: Database, tmp_path: Path) -> None:
    host = Host([DELIVERBY])
    row, notices = await to(host, database, tmp_path, 0.5, "R")
    assert (row.state, row.status, mail_of(host)) == (State.EXPIRED, "5.4.7", [])
    assert notices == ["alice@red.test"]


async def test_a_try_that_takes_all_the_time_is_the_last_one(database: Database, tmp_path: Path) -> None:
    """The host's own answer stays beside the end."""

    class Slow(Host):
        def _say(self, writer: asyncio.StreamWriter, reply: str) -> None:
            if reply.startswith("450"):
                asyncio.get_running_loop().call_later(1.2, super()._say, writer, reply)
            else:
                super()._say(writer, reply)

    host = Slow(["DELIVERBY"], replies={"RCPT": "450 4.2.1 come again"})
    row, notices = await to(host, database, tmp_path, 2.1, "R")
    assert (row.state, row.status, row.reply) == (State.EXPIRED, "5.4.7", "450 4.2.1 come again")
    assert (row.reason or "").endswith("; [127.0.0.1] asked to come again")
    assert notices == ["alice@red.test"]


@pytest.mark.parametrize(
    ("extensions", "mode", "is_told"),
    [
        ([], "N", True),
        ([], "NT", True),
        ([DELIVERBY], "N", False),
        ([DELIVERBY], "NT", True),
        ([DELIVERBY], "RT", True),
    ],
)
async def test_who_set_a_time_hears_that_it_went_on_without_it_or_with_a_trace(
    database: Database, tmp_path: Path, extensions: list[str], mode: str, is_told: bool
) -> None:
    host = Host(extensions)
    row, notices = await to(host, database, tmp_path, 60, mode)
    assert (row.state, notices) == (State.RELAYED, ["alice@red.test"] * is_told)
    assert ("BY=" in mail_of(host)[0]) == bool(extensions)


async def test_a_late_one_goes_on_where_its_sender_only_wants_to_hear_of_it(database: Database, tmp_path: Path) -> None:
    host = Host([DELIVERBY])
    row, _ = await to(host, database, tmp_path, -30, "N")
    assert row.state is State.RELAYED
    assert re.search(r" BY=-\d+;N$", mail_of(host)[0])


@pytest.mark.parametrize(
    ("timed", "notify", "said"),
    [
        (False, None, "which does not know the time that you set for it: it may arrive later."),
        (False, "FAILURE", "which does not know the time that you set for it: it may arrive later."),
        (True, "SUCCESS", "which knows the time that you set for it."),
        (True, "NEVER", None),
        (None, None, None),
    ],
)
async def test_the_notice_says_whether_the_time_is_kept(
    database: Database, tmp_path: Path, timed: bool | None, notify: str | None, said: str | None
) -> None:
    here = await world(database, tmp_path)
    sent, made = await here.send(BOB, notify=notify)
    results = came_to(made.deliveries, State.RELAYED, "2.0.0", "250 2.0.0 OK", timed=timed, reports=True)
    await here.notices.settle(sent, made.deliveries, results)
    notices = await here.in_inbox()
    assert len(notices) == (said is not None)
    for notice in notices:
        assert f"It was handed to mx.blue.test, {said}" in text_of(notice).replace("\n    ", " ")
        assert status_of(notice)[1]["Action"] == "relayed"
