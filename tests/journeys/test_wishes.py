"""What a sender wishes of the way: the urgent message leaves first (MT-PRIORITY), the late one comes back in time (DELIVERBY)."""

import json
import smtplib
import time
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from tests.dns import dns_server
from tests.journeys.administrator import mailhost
from tests.journeys.readers import by_pop3
from tests.journeys.test_relay import ALICE, BOB, SLOW, ZONE, office, until
from tests.service import END_SECONDS, Server, free_base

pytestmark = pytest.mark.service

BACKLOG = 12


def submit(server: Server, subjects: list[str], *wishes: str) -> tuple[list[str], list[str]]:
    """Answers with the journeys, and what the server said to each message."""
    said = []
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls()) as client:
        client.login(ALICE.address, ALICE.password)
        for subject in subjects:
            assert client.mail(ALICE.address, wishes)[0] == 250
            assert client.rcpt(BOB.address)[0] == 250
            code, answer = client.data(f"From: {ALICE.address}\r\nSubject: {subject}\r\n\r\nx\r\n".encode())
            assert code == 250
            said.append(answer.decode())
    return [each.split()[-1] for each in said], said


def arrived(server: Server, count: int) -> list[bytes]:
    """Alice's messages by POP3, when there are so many."""
    deadline = time.monotonic() + END_SECONDS
    while len(found := by_pop3(server, ALICE)) < count:
        assert time.monotonic() < deadline, server.log()[-3000:]
    return found


def status_of(notice: bytes) -> list[Any]:
    parts: Any = message_from_bytes(notice).get_payload()
    assert parts[1].get_content_type() == "message/delivery-status"
    return list(parts[1].get_payload())


def text_of(notice: bytes) -> str:
    parts: Any = message_from_bytes(notice).get_payload()
    return " ".join(parts[0].get_payload().split())


def test_the_urgent_message_leaves_first(tmp_path: Path) -> None:
    bases = {"red": free_base(), "blue": free_base()}
    more = ("submissions.highest_priority=6", "relay.most_connections=1")
    with dns_server(ZONE) as (_, port), office(tmp_path, "red", bases, port, *more) as red:
        usual, _ = submit(red, [f"usual {at}" for at in range(BACKLOG)])
        _, (answer,) = submit(red, ["no hurry"], "MT-PRIORITY=-3")
        assert answer.startswith("2.0.0 Accepted as ")
        (urgent,), (answer,) = submit(red, ["urgent"], "MT-PRIORITY=9")
        assert answer == f"2.3.6 6 is the new priority. Accepted as {urgent}"
        until(red, usual[0], "cannot connect to ")
        with office(tmp_path, "blue", bases, port) as blue:
            mailhost(red, "queue", "retry", "--destination", "blue.test")
            said = until(red, usual[-1], "delivered to mx.blue.test")
            assert "Wished" not in said
            said = until(red, urgent, "delivered to mx.blue.test")
            assert "  Wished: priority 6\n" in said
            assert "it answered 250 2.3.6 0 is the new priority. Accepted as " in said  # strangers are granted none
            deadline = time.monotonic() + END_SECONDS
            while len(messages := by_pop3(blue, BOB)) < BACKLOG + 2:
                assert time.monotonic() < deadline, red.log()[-3000:]
    subjects = [message_from_bytes(each)["Subject"] for each in messages]
    assert (subjects[0], subjects[-1]) == ("urgent", "no hurry")
    there, here = message_from_bytes(messages[0]).get_all("Received") or []
    assert ("PRIORITY 0;" in there, "PRIORITY 6;" in here) == (True, True)


def test_what_is_late_comes_back_at_its_time(tmp_path: Path) -> None:
    """The other host is away, and is asked again only in a minute."""
    bases = {"red": free_base(), "blue": free_base()}
    more = ("submissions.shortest_deliver_by=1s",)
    with dns_server(ZONE) as (_, port), office(tmp_path, "red", bases, port, *more) as red:
        (journey,), _ = submit(red, ["now or never"], "BY=3;R")
        assert ", else returned\n" in mailhost(red, "trace", journey)
        said = until(red, journey, "given up after its time")
        assert "its sender wanted it back when it was not delivered within 3 seconds; " in said
        told = json.loads(mailhost(red, "trace", journey, "--json"))
        (recipient,) = told["recipients"]
        assert (recipient["state"], recipient["status"], told["by_mode"]) == ("expired", "5.4.7", "R")
        assert 0 <= recipient["finished_at"] - told["deliver_by"] < 1_000 + SLOW * 1_000
        (notice,) = arrived(red, 1)
        about, failed = status_of(notice)
        assert about["Deliver-By-Date"]
        assert (failed["Action"], failed["Status"], failed["Final-Recipient"]) == (
            "failed",
            "5.4.7",
            f"rfc822; {BOB.address}",
        )
        assert "could not be delivered within the time that was set for it" in text_of(notice)
        (journey,), _ = submit(red, ["tell me"], "BY=2;N")
        _, notice = arrived(red, 2)
        assert status_of(notice)[1]["Action"] == "delayed"
        assert "You asked to hear of it if it was not there by " in text_of(notice)
        said = mailhost(red, "trace", journey)
        assert "else its sender told\n" in said
        assert f"{BOB.address}: waiting for " in said
        assert mailhost(red, "audit").startswith("no problem found\n")


def test_a_host_that_keeps_the_time_is_told_of_it(tmp_path: Path) -> None:
    """And the sender, who asked for a trace, hears that it went on."""
    bases = {"red": free_base(), "blue": free_base()}
    with (
        dns_server(ZONE) as (_, port),
        office(tmp_path, "blue", bases, port) as blue,
        office(tmp_path, "red", bases, port) as red,
    ):
        (journey,), _ = submit(red, ["in time"], "BY=30;RT")
        until(red, journey, "delivered to mx.blue.test")
        (notice,) = arrived(red, 1)
        assert status_of(notice)[1]["Action"] == "relayed"
        assert "It was handed to mx.blue.test, which knows the time that you set for it." in text_of(notice)
        assert len(by_pop3(blue, BOB)) == 1
        told = json.loads(mailhost(blue, "trace", "in time", "--json"))
        assert (told["by_mode"], told["recipients"][0]["state"]) == ("RT", "stored")
        assert 0 < told["deliver_by"] - told["accepted_at"] <= 30_000
