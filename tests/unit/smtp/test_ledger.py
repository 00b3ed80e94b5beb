"""What the ledger keeps of an envelope: each recipient a row, with all that the sender wished (RFC 3461)."""

from pathlib import Path

from mailhost.database.transaction import Transaction
from mailhost.ids import now
from mailhost.queue import search
from mailhost.queue.values import Acceptance, Delivery, State
from tests.transcripts.world import World
from tests.unit.smtp.talk import client, in_world

LOGIN = b"AUTH PLAIN AGFsaWNlQGV4YW1wbGUub3JnAHNlY3JldA==\r\n"
MESSAGE = b"From: alice@example.org\r\n\r\nhello\r\n"


def ledger(tx: Transaction) -> list[tuple[Acceptance, list[Delivery]]]:
    return search.journeys(tx, ["alice"], 10)


async def sent(here: World, mail: str, *recipients: str) -> tuple[Acceptance, list[Delivery]]:
    async with client(here, submission=True, highest_priority=4) as one:
        assert (await one.ask(LOGIN)).startswith(b"235 ")
        commands = [f"MAIL FROM:<alice@example.org>{mail}", *(f"RCPT TO:{each}" for each in recipients)]
        for command in commands:
            assert (await one.ask(f"{command}\r\n".encode())).startswith(b"250 "), command
        assert (await one.ask(b"BDAT %d LAST\r\n%b" % (len(MESSAGE), MESSAGE))).startswith(b"250 ")
    ((acceptance, rows),) = await here.services.database.read(ledger)
    return acceptance, rows


def test_a_recipient_elsewhere_waits_with_all_that_the_sender_wished(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        acceptance, (row,) = await sent(
            here,
            " RET=HDRS ENVID=a+2Bb BODY=8BITMIME",
            "<Carol@Example.COM> NOTIFY=DELAY,failure ORCPT=rfc822;Old+2BCarol@example.net",
        )
        assert (acceptance.ret, acceptance.envid, acceptance.body) == ("HDRS", "a+b", "8BITMIME")
        assert acceptance.login == await here.account("alice")
        assert (row.state, row.destination, row.recipient) == (State.WAITING, "example.com", "Carol@example.com")
        assert (row.notify, row.original) == ("DELAY,FAILURE", "rfc822;Old+Carol@example.net")
        assert row.next_try == acceptance.at

    in_world(tmp_path, template, act)


def test_time_and_priority_are_kept_with_the_message_and_its_rows(tmp_path: Path, template: Path) -> None:
    """The priority that is granted, not the one that was asked for; in each row, by which the queue is ordered."""

    async def act(here: World) -> None:
        before = now()
        mail = " BY=3600;rt MT-PRIORITY=6"
        acceptance, rows = await sent(here, mail, "<carol@example.com>", "<bob@example.org>")
        assert (acceptance.by_mode, acceptance.priority) == ("RT", 4)
        assert acceptance.deliver_by is not None
        assert before <= acceptance.deliver_by - 3_600_000 <= now()
        assert {(row.state, row.priority) for row in rows} == {(State.WAITING, 4), (State.STORED, 0)}

    in_world(tmp_path, template, act)


def test_without_wishes_the_ledger_has_none(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        acceptance, (row,) = await sent(here, "", "<carol@example.com>")
        assert (acceptance.ret, acceptance.envid, acceptance.smtputf8) == (None, None, False)
        assert (acceptance.deliver_by, acceptance.by_mode, acceptance.priority) == (None, None, 0)
        assert (row.notify, row.original) == (None, "carol@example.com")

    in_world(tmp_path, template, act)


def test_each_recipient_has_its_own_wishes_and_an_alias_hands_them_on(tmp_path: Path, template: Path) -> None:
    """An alias of many has heard of the success itself: its members' is told to nobody (RFC 3461 section 5.2.7)."""

    async def act(here: World) -> None:
        await here.alias("office@example.org", "bob@example.org")
        await here.alias("office@example.org", "carol@example.com")
        acceptance, rows = await sent(
            here,
            " SMTPUTF8",
            "<office@example.org> NOTIFY=SUCCESS",
            "<bob@example.org> NOTIFY=NEVER",
            "<戴夫@例子.example> ORCPT=utf-8;\\x{6234}\\x{592B}@example.net",
        )
        assert acceptance.smtputf8
        assert {(row.recipient, row.state, row.notify) for row in rows} == {
            ("office@example.org", State.EXPANDED, "SUCCESS"),
            ("bob@example.org", State.STORED, "NEVER"),
            ("carol@example.com", State.WAITING, "NEVER"),
            ("bob@example.org", State.STORED, "NEVER"),
            ("戴夫@xn--fsqu00a.example", State.WAITING, None),
        }
        assert [row.original for row in rows if row.destination == "xn--fsqu00a.example"] == ["utf-8;戴夫@example.net"]

    in_world(tmp_path, template, act)
