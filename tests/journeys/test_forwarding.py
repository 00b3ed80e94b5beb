"""Aliases with members on another server: they forward, and two that forward to each other end with one notice."""

import json
import re
import smtplib
import time
from pathlib import Path

import pytest

from tests.journeys.administrator import mailhost
from tests.journeys.readers import by_imap
from tests.journeys.test_relay import ALICE, BOB, submit, two_offices, until
from tests.service import END_SECONDS, Server

pytestmark = pytest.mark.service


def from_outside(server: Server, sender: str, *to: str) -> str:
    """By port 25; the journey."""
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
        client.ehlo("mx.green.test")
        assert client.mail(sender)[0] == 250
        for each in to:
            code, said = client.rcpt(each)
            assert code == 250, said
        code, said = client.data(b"From: gerda@green.test\r\nSubject: from outside\r\n\r\nx\r\n")
    assert code == 250, said
    return said.split()[-1].decode()


def at_rest(*servers: Server) -> None:
    """When nothing waits on any of them any more, and each message has had its end."""
    deadline = time.monotonic() + END_SECONDS
    while any(json.loads(mailhost(each, "queue", "list", "--json") or "[]") for each in servers):
        assert time.monotonic() < deadline, [each.log()[-2_000:] for each in servers]


def test_a_stranger_s_mail_is_forwarded_once(tmp_path: Path) -> None:
    """To an alias with members here and elsewhere, to one that stands for somebody elsewhere alone, in one message with one copy."""
    with two_offices(tmp_path) as (red, blue):
        mailhost(red, "alias", "add", "info@red.test", ALICE.address, BOB.address)
        mailhost(red, "alias", "add", "bob@red.test", BOB.address)
        journey = from_outside(red, "gerda@green.test", "info@red.test", "bob@red.test")
        until(red, journey, "delivered to mx.blue.test")
        assert mailhost(red, "trace", journey).count("delivered to mx.blue.test") == 1
        (message,) = by_imap(blue, BOB)
        assert message.startswith(b"Return-Path: <gerda@green.test>\r\nDelivered-To: bob@blue.test\r\n")
        assert message.count(b"Delivered-To:") == 1
        assert len(by_imap(red, ALICE)) == 1
        for server in (red, blue):
            assert mailhost(server, "audit").startswith("no problem found\n")


def test_a_member_that_is_gone_comes_back_to_who_wrote(tmp_path: Path) -> None:
    """The reverse-path is the sender's (RFC 5321 section 3.9.1), and the notice names the address that he wrote (RFC 3461 section 5.2.7)."""
    with two_offices(tmp_path) as (red, blue):
        mailhost(red, "alias", "add", "gone@red.test", "nobody@blue.test")
        until(blue, submit(blue, BOB, "gone@red.test", "to the alias"), "delivered to mx.red.test")
        deadline = time.monotonic() + END_SECONDS
        while not (found := by_imap(blue, BOB)):
            assert time.monotonic() < deadline, red.log()[-3_000:]
        (notice,) = found
        assert b"Reporting-MTA: dns; mx.red.test" in notice
        assert b"Original-Recipient: rfc822; gone@red.test" in notice
        assert b"Final-Recipient: rfc822; nobody@blue.test" in notice


def test_two_that_forward_to_each_other_end_with_one_notice(tmp_path: Path) -> None:
    with two_offices(tmp_path) as (red, blue):
        mailhost(red, "alias", "add", "a@red.test", "b@blue.test")
        mailhost(blue, "alias", "add", "b@blue.test", "a@red.test")
        submit(red, ALICE, "a@red.test", "round and round")
        deadline = time.monotonic() + END_SECONDS
        while not (found := by_imap(red, ALICE)):
            assert time.monotonic() < deadline, red.log()[-3_000:]
        at_rest(red, blue)
        (notice,) = by_imap(red, ALICE)
        assert found == [notice]
        assert b"Status: 5.4.6" in notice
        assert b"Reporting-MTA: dns; mx.blue.test" in notice
        passes = len(re.findall(r"queue\.add .*sender=alice@red\.test", red.log() + blue.log()))
        assert passes < 30, "long before a hundred hosts"


def test_a_loop_without_a_sender_ends_in_silence(tmp_path: Path) -> None:
    """A notice that loops brings no other one (RFC 5321 section 6.1)."""
    with two_offices(tmp_path) as (red, blue):
        mailhost(red, "alias", "add", "a@red.test", "b@blue.test")
        mailhost(blue, "alias", "add", "b@blue.test", "a@red.test")
        from_outside(red, "", "a@red.test")
        deadline = time.monotonic() + END_SECONDS
        while "it is in a loop of forwardings" not in red.log():
            assert time.monotonic() < deadline, red.log()[-3_000:]
        at_rest(red, blue)
        assert by_imap(red, ALICE) == by_imap(blue, BOB) == []
        for server in (red, blue):
            assert mailhost(server, "audit").startswith("no problem found\n")
