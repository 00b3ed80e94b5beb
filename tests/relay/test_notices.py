"""Which notices follow from what became of a message, and what they say: on both engines, with the ledger as it is."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from email import message_from_bytes
from email.message import Message
from email.policy import SMTPUTF8
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.delivery.accept import Accepted, AcceptRequest, accept
from mailhost.delivery.directory import Directory
from mailhost.delivery.waiting import WaitingDeliveries
from mailhost.events.event import Event, Events
from mailhost.ids import BlobId, JourneyId, Millis, fresh, now
from mailhost.ids import text_of as journey_text
from mailhost.message.structure import scan
from mailhost.queue import entries
from mailhost.queue.claims import Result
from mailhost.queue.tables import acceptance, delivery
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.relay.notices import Notices, NoticeSettings
from mailhost.relay.reports_here import ReportsHere
from mailhost.relay.schedule import Schedule
from mailhost.store import messages
from mailhost.store.octets import BlobStore
from mailhost.store.tables import blob, message
from mailhost.store.values import Content, MailboxKey
from mailhost.trace import entries as traced
from mailhost.users import accounts
from tests.delivery.building import NOW, inbox, people, store_of

HOUR = 3_600_000
MESSAGE = b"From: alice@example.org\r\nSubject: hello\r\nMessage-ID: <1@example.org>\r\n\r\nbody\r\n"
ALICE = "alice@example.org"
BOB, CAROL = "bob@blue.test", "carol@blue.test"


@dataclass
class World:
    """A server with alice, and what it said of itself."""

    database: Database
    blobs: BlobStore
    directory: Directory
    notices: Notices
    events_of: Events
    events: list[Event] = field(default_factory=list)

    async def send(
        self, *recipients: str, content: bytes = MESSAGE, notify: str | None = None, at: Millis = NOW, **how: Any
    ) -> tuple[Acceptance, Accepted]:
        routed = [replace(await self.directory.route(*each.rsplit("@", 1)), notify=notify) for each in recipients]
        its, scanned = self.blobs.inline(content), scan(content)
        taken = Acceptance(
            JourneyId(fresh()), at, "192.0.2.1", "client", None, ALICE, its.id, b"Received: here\r\n", len(content),
            subject="hello", message_id="<1@example.org>",
        )  # fmt: skip
        taken = replace(taken, **how)
        return taken, await self.database.write(accept, AcceptRequest(taken, Content(its, scanned), tuple(routed)))

    async def in_inbox(self, name: str = "alice") -> list[Message]:
        found = await inbox(self.database, name)
        key = MailboxKey(found.account, found.id)
        uids = [uid for uid, _ in await self.database.read(messages.sizes, key)]
        located = await self.database.read(messages.locate, key, uids)
        return [message_from_bytes(await self.blobs.whole(each)) for each in located]

    def withheld(self) -> list[str]:
        return [event.cause for event in self.events if event.kind == "notice.withheld"]

    def faults(self) -> list[str]:
        return [event.cause for event in self.events if event.kind == "fault"]


async def world(database: Database, folder: Path, **settings: int) -> World:
    await people(database, "alice", "dora")
    events, blobs, directory = Events(), store_of(database, folder), Directory(database)
    made = World(
        database,
        blobs,
        directory,
        Notices(database, blobs, directory, events, Schedule(), NoticeSettings("mx.example.org", **settings)),
        events,
    )
    events.subscribe(made.events.append)
    return made


def came_to(rows: Sequence[Delivery], state: State, status: str, reply: str | None, **how: Any) -> list[Result]:
    result = Result(rows[0].id, state, status, "mx.blue.test refused it", reply, "mx.blue.test", Millis(NOW + 5 * HOUR))
    return [replace(result, delivery=each.id, **how) for each in rows]


def bounced(rows: Sequence[Delivery], reply: str = "550 5.1.1 No such user") -> list[Result]:
    return came_to(rows, State.BOUNCED, "5.1.1", reply)


def deferred(rows: Sequence[Delivery], at: int = 5 * HOUR) -> list[Result]:
    later = Millis(NOW + at + HOUR)
    return came_to(rows, State.WAITING, "4.7.1", "450 4.7.1 Greylisted", at=Millis(NOW + at), next_try=later)


def status_of(notice: Message) -> list[Message]:
    parts: Any = notice.get_payload()
    return list(parts[1].get_payload())


def text_of(notice: Message) -> str:
    parts: Any = notice.get_payload()
    return str(parts[0].get_payload(decode=True).decode()).replace("\r\n", "\n")


def told(tx: Transaction) -> list[bool]:
    rows = tx.execute(select(delivery.c.told_at).order_by(delivery.c.id)).scalars()
    return [each is not None for each in rows]


async def test_all_that_failed_together_is_one_notice_in_the_senders_inbox(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, CAROL, envid="QQ1")
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    (notice,) = await here.in_inbox()
    assert await database.read(entries.states) == {State.BOUNCED: 2, State.STORED: 1}
    assert notice["Return-Path"] == "<>"
    assert notice["From"] == "Mail Delivery System <postmaster@example.org>"
    assert notice["Subject"] == "Not delivered: hello"
    assert notice["References"] == "<1@example.org>"
    about, *recipients = status_of(notice)
    assert (about["Original-Envelope-Id"], about["Reporting-MTA"]) == ("QQ1", "dns; mx.example.org")
    assert [each["Final-Recipient"] for each in recipients] == [f"rfc822; {BOB}", f"rfc822; {CAROL}"]
    assert {(each["Action"], each["Status"]) for each in recipients} == {("failed", "5.1.1")}
    parts: Any = notice.get_payload()
    assert parts[2].get_payload() == "Received: here\r\n" + MESSAGE.partition(b"\r\n\r\n")[0].decode() + "\r\n"
    text = text_of(notice)
    assert text.startswith("Your message could not be delivered to 2 recipients.\n")
    assert f"{BOB}\n    There is no such address.\n    What you can do: Check how the address is written" in text
    assert "    The answer of mx.blue.test:\n        550 5.1.1 No such user\n" in text
    assert not here.faults()


async def test_the_first_words_name_the_only_recipient(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB)
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    (notice,) = await here.in_inbox()
    assert text_of(notice).startswith(f"Your message could not be delivered to {BOB}.\n")


async def test_a_sender_elsewhere_gets_it_as_mail_with_the_null_reverse_path(
    database: Database, tmp_path: Path
) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, reverse_path="erin@green.test")
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    rows = await database.read(all_rows)
    ((its, from_),) = [(row, path) for row, path in rows if row.state is State.WAITING]
    assert (its.recipient, its.destination, from_) == ("erin@green.test", "green.test", "")


async def test_nobody_hears_of_a_notice_that_fails(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, reverse_path="")
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    assert await database.read(entries.states) == {State.BOUNCED: 1}


async def test_nobody_hears_of_a_report_whatever_its_reverse_path(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    content = b"Content-Type: Multipart/Report;\r\n report-type=feedback-report; boundary=x\r\n\r\n"
    sent, accepted = await here.send(BOB, content=content)
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    assert await database.read(entries.states) == {State.BOUNCED: 1}
    assert here.withheld() == ["it is a report itself"]


async def test_a_sender_who_is_no_longer_here_hears_nothing_and_the_log_says_so(
    database: Database, tmp_path: Path
) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, reverse_path="gone@example.org")
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    assert await database.read(entries.states) == {State.BOUNCED: 1}
    assert here.withheld() == ["its sender is no longer here"]


async def test_notify_decides_who_hears_of_what(database: Database, tmp_path: Path) -> None:
    """By kind of result: NOTIFY, and whether a notice goes out (RFC 3461 section 4.1)."""
    here = await world(database, tmp_path)
    relayed = came_to, State.RELAYED, "2.0.0", "250 2.0.0 OK"
    for notify, failure, delay, success in [
        (None, True, True, False),
        ("NEVER", False, False, False),
        ("FAILURE", True, False, False),
        ("DELAY", False, True, False),
        ("SUCCESS", False, False, True),
        ("SUCCESS,FAILURE,DELAY", True, True, True),
    ]:
        for results, is_told in ((bounced, failure), (deferred, delay), (relayed, success)):
            before = len(await here.in_inbox())
            sent, accepted = await here.send(BOB, notify=notify)
            rows = accepted.deliveries
            made = results(rows) if callable(results) else results[0](rows, *results[1:])
            await here.notices.settle(sent, rows, made)
            assert len(await here.in_inbox()) - before == is_told, (notify, results)
    assert not here.faults()


async def test_a_host_with_dsn_reports_success_itself(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    for reports in (True, False):
        sent, accepted = await here.send(BOB, notify="SUCCESS")
        results = came_to(accepted.deliveries, State.RELAYED, "2.0.0", "250 2.0.0 OK", reports=reports)
        await here.notices.settle(sent, accepted.deliveries, results)
    (notice,) = await here.in_inbox()
    _, recipient = status_of(notice)
    assert (recipient["Action"], recipient["Status"]) == ("relayed", "2.0.0")
    assert "handed to mx.blue.test, which does not tell" in text_of(notice).replace("\n    ", " ")


async def test_a_delay_is_told_once_for_the_whole_message(database: Database, tmp_path: Path) -> None:
    """Of two destinations that both defer, and again and again."""
    here = await world(database, tmp_path)
    sent, _ = await here.send(BOB, "frank@green.test")
    for at in (HOUR, 5 * HOUR, 6 * HOUR):
        for place in (0, 1):
            rows = await database.read(entries.of_journey, sent.journey)
            await here.notices.settle(sent, rows[place : place + 1], deferred(rows[place : place + 1], at))
        assert len(await here.in_inbox()) == (at > HOUR)
    (notice,) = await here.in_inbox()
    _, *recipients = status_of(notice)
    assert [each["Final-Recipient"] for each in recipients] == [f"rfc822; {BOB}", "rfc822; frank@green.test"]
    assert {each["Action"] for each in recipients} == {"delayed"}
    until = "Tue, 02 Jun 2026 20:26:40 +0000"
    assert {each["Will-Retry-Until"] for each in recipients} == {until}
    text = text_of(notice)
    assert text.startswith("Your message has not reached 2 recipients yet.")
    assert "What you can do" not in text
    assert await database.read(told) == [True, True, False]


async def test_two_lanes_at_the_same_moment_tell_one_delay(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, "frank@green.test")
    rows = accepted.deliveries
    await asyncio.gather(*(here.notices.settle(sent, [row], deferred([row])) for row in rows))
    assert len(await here.in_inbox()) == 1
    assert not here.faults()


async def test_who_has_heard_of_a_delay_hears_of_the_failure_too(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB)
    await here.notices.settle(sent, accepted.deliveries, deferred(accepted.deliveries))
    rows = await database.read(entries.of_journey, sent.journey)
    expired = came_to(rows, State.EXPIRED, "4.7.1", "450 4.7.1 Greylisted")
    await here.notices.settle(sent, rows, expired)
    _, notice = await here.in_inbox()
    assert "We have tried again and again, and have given up now." in text_of(notice)
    assert status_of(notice)[1]["Action"] == "failed"


async def test_mail_that_waited_for_its_time_is_late_only_after_it(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB, release_at=Millis(NOW + 3 * HOUR))
    await here.notices.settle(sent, accepted.deliveries, deferred(accepted.deliveries))
    assert await here.in_inbox() == []


async def test_what_somebody_else_has_ended_meanwhile_is_told_by_nobody(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB)
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    assert len(await here.in_inbox()) == 1


async def test_a_sender_hears_no_more_than_so_often_in_an_hour(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path, most_an_hour=3)
    for _ in range(5):
        sent, accepted = await here.send(BOB)
        await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    assert len(await here.in_inbox()) == 3
    assert here.withheld() == ["its sender has had too many notices within an hour"] * 2
    assert (await database.read(entries.states))[State.BOUNCED] == 5


async def test_a_message_that_cannot_be_read_any_more_is_told_of_without_it(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB)
    await database.write(without_blob, sent)
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    (notice,) = await here.in_inbox()
    assert len(notice.get_payload()) == 2
    assert len(here.faults()) == 1


async def test_ret_decides_what_comes_back_with_a_failure_only(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path, most_returned=1_000)
    large = MESSAGE + b"x" * 70 + b"\r\n"
    cases: list[tuple[str | None, bytes, str, Callable[[Sequence[Delivery]], list[Result]]]] = [
        ("FULL", MESSAGE, "message/rfc822", bounced),
        ("FULL", MESSAGE, "text/rfc822-headers", deferred),
        ("FULL", large + b"y\r\n" * 400, "text/rfc822-headers", bounced),
        ("HDRS", MESSAGE, "text/rfc822-headers", bounced),
        (None, MESSAGE, "text/rfc822-headers", bounced),
    ]
    for ret, content, kind, results in cases:
        sent, accepted = await here.send(BOB, content=content, ret=ret)
        await here.notices.settle(sent, accepted.deliveries, results(accepted.deliveries))
        notice = (await here.in_inbox())[-1]
        parts: Any = notice.get_payload()
        assert parts[2].get_content_type() == kind
        if kind == "message/rfc822":
            assert parts[2].get_payload()[0].get_payload() == "body\r\n"


async def test_who_writes_in_chinese_is_answered_in_chinese_first(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    for how in (
        {"subject": "会议通知"},
        {"content": MESSAGE.replace(b"\r\n\r\n", b"\r\nContent-Type: text/plain; charset=GBK\r\n\r\n")},
    ):
        sent, accepted = await here.send(BOB, **how)
        await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
        text = text_of((await here.in_inbox())[-1])
        assert text.startswith(f"您的邮件未能送达 {BOB}。\n")
        assert f"\n\nYour message could not be delivered to {BOB}.\n" in text
        assert text.count("550 5.1.1 No such user") == 2
    sent, accepted = await here.send(BOB, subject="会議のお知らせ")
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    assert text_of((await here.in_inbox())[-1]).startswith("Your message")


async def test_an_address_in_utf8_is_told_to_our_user_in_the_forms_of_utf8(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send("用户@blue.test", smtputf8=True)
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    (notice,) = await here.in_inbox()
    assert notice.get_param("report-type") == "global-delivery-status"
    assert "\r\nFinal-Recipient: utf-8; 用户@blue.test\r\n".encode() in notice.as_bytes(policy=SMTPUTF8)
    assert not here.faults()


async def test_a_notice_to_an_address_in_utf8_has_a_surrogate_for_clients_without_it(
    database: Database, tmp_path: Path
) -> None:
    here = await world(database, tmp_path)
    await people(database, "用户")
    sent, accepted = await here.send(BOB, smtputf8=True, reverse_path="用户@example.org")
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    assert len(await here.in_inbox("用户")) == 1
    assert len(await database.read(surrogates)) == 1


async def test_an_alias_of_ones_own_that_leads_away_is_told_with_both_names(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    await database.write(accounts.add_alias, "friend", "example.org", BOB, NOW)
    sent, accepted = await here.send("friend@example.org")
    rows = [row for row in accepted.deliveries if row.state is State.WAITING]
    await here.notices.settle(sent, rows, bounced(rows))
    (notice,) = await here.in_inbox()
    _, recipient = status_of(notice)
    assert recipient["Original-Recipient"] == "rfc822; friend@example.org"
    assert recipient["Final-Recipient"] == f"rfc822; {BOB}"
    assert text_of(notice).startswith("Your message could not be delivered to friend@example.org.")
    assert f"friend@example.org (which leads to {BOB})" in text_of(notice)


# Success here.


async def test_what_is_delivered_here_is_told_to_who_asked_once(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    task = asyncio.ensure_future(ReportsHere(database, here.notices, Events()).run())
    await here.send("dora@example.org", at=now())
    await here.send("dora@example.org", notify="FAILURE", at=now())
    await here.send("dora@example.org", notify="SUCCESS", at=now())
    await until(here, 1)
    task.cancel()
    (notice,) = await here.in_inbox()
    _, recipient = status_of(notice)
    assert (recipient["Action"], recipient["Final-Recipient"]) == ("delivered", "rfc822; dora@example.org")
    assert "It lies in the recipient's mailbox." in text_of(notice)
    again = ReportsHere(database, here.notices, Events())
    await again.tell_all()
    assert len(await here.in_inbox()) == 1


async def test_what_was_held_back_is_told_when_it_is_delivered(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    reports = ReportsHere(database, here.notices, Events())
    await here.send("dora@example.org", notify="SUCCESS", release_at=Millis(NOW + HOUR))
    await reports.tell_all()
    assert await here.in_inbox() == []
    waiting = WaitingDeliveries(database, here.blobs, Events(), clock=lambda: Millis(NOW + HOUR))
    assert await waiting.deliver_due() == 1
    await reports.tell_all()
    (notice,) = await here.in_inbox()
    assert status_of(notice)[1]["Action"] == "delivered"


async def test_what_a_crash_left_untold_is_told_at_the_next_start(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    await here.send("dora@example.org", notify="SUCCESS", at=now())
    await here.send("dora@example.org", notify="SUCCESS", reverse_path="", at=now())
    await ReportsHere(database, here.notices, Events()).tell_all()
    assert len(await here.in_inbox()) == 1
    assert sum(await database.read(told)) == 2


async def test_an_alias_of_many_is_told_as_expanded_and_its_members_are_not(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    for target in ("dora@example.org", BOB):
        await database.write(accounts.add_alias, "all", "example.org", target, NOW)
    sent, accepted = await here.send("all@example.org", notify="SUCCESS,FAILURE", at=now())
    assert [row.notify for row in accepted.deliveries] == ["SUCCESS,FAILURE", "FAILURE", "FAILURE"]
    await ReportsHere(database, here.notices, Events()).tell_all()
    (notice,) = await here.in_inbox()
    _, recipient = status_of(notice)
    assert (recipient["Action"], recipient["Final-Recipient"]) == ("expanded", "rfc822; all@example.org")
    assert sent.journey


async def test_an_alias_of_one_is_told_as_delivered(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    await database.write(accounts.add_alias, "d", "example.org", "dora@example.org", NOW)
    await here.send("d@example.org", notify="SUCCESS", at=now())
    await ReportsHere(database, here.notices, Events()).tell_all()
    (notice,) = await here.in_inbox()
    _, recipient = status_of(notice)
    assert (recipient["Action"], recipient["Final-Recipient"]) == ("delivered", "rfc822; dora@example.org")


async def until(here: World, count: int) -> None:
    """The notice is stored by a task beside us."""
    stored = asyncio.Event()
    here.database.subscribe(lambda _: stored.set())
    while len(await here.in_inbox()) < count:
        await asyncio.wait_for(stored.wait(), 20)
        stored.clear()


def all_rows(tx: Transaction) -> list[tuple[Delivery, str]]:
    rows = tx.execute(
        select(delivery, acceptance).join_from(delivery, acceptance, acceptance.c.id == delivery.c.acceptance_id)
    )
    return [(entries.delivery_of(row), entries.acceptance_of(row).reverse_path) for row in rows]


def newest_blob(tx: Transaction) -> tuple[BlobId, int]:
    newest = select(acceptance).order_by(acceptance.c.id.desc()).limit(1)
    row = tx.execute(newest).one()
    return BlobId(row.blob_id), row.size


def without_blob(tx: Transaction, sent: Acceptance) -> None:
    tx.execute(delete(blob).where(blob.c.id == sent.blob))


def surrogates(tx: Transaction) -> list[int]:
    return list(tx.execute(select(message.c.surrogate_id).where(message.c.surrogate_id.is_not(None))).scalars())


async def test_the_postmaster_of_the_senders_own_domain_writes_to_him(database: Database, tmp_path: Path) -> None:
    """Where the domain is ours; else that of the server's."""
    here = await world(database, tmp_path)
    await people(database, "alice", domain="zoo.example")
    for sender, postmaster in (
        ("alice@zoo.example", "postmaster@zoo.example"),
        ("alice@example.org", "postmaster@example.org"),
        ("erin@green.test", "postmaster@example.org"),
    ):
        sent, accepted = await here.send(BOB, reverse_path=sender)
        await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
        its, size = await database.read(newest_blob)
        content = b"".join([piece async for piece in here.blobs.blob_pieces(its, 0, size)])
        assert message_from_bytes(content)["From"] == f"Mail Delivery System <{postmaster}>"


async def test_the_journeys_of_a_message_and_its_notice_name_each_other(database: Database, tmp_path: Path) -> None:
    here = await world(database, tmp_path)
    sent, accepted = await here.send(BOB)
    await here.notices.settle(sent, accepted.deliveries, bounced(accepted.deliveries))
    (entry,) = await database.read(traced.of_journey, sent.journey)
    assert (entry.kind, entry.data["tells"], entry.data["to"]) == ("notice.sent", "failed", ALICE)
    (back,) = await database.read(traced.of_journey, JourneyId(int(entry.data["notice"], 16)))
    assert back.data == {"about": journey_text(sent.journey)}
