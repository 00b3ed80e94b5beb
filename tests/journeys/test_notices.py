"""What the sender hears: a bounce from another server in an INBOX, a delay told once, a delivery that was asked after."""

import re
import smtplib
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from pathlib import Path
from typing import Any, ClassVar

import pytest

from tests.dns import dns_server
from tests.journeys.administrator import add, mailhost
from tests.journeys.readers import by_imap, by_pop3
from tests.journeys.test_relay import ALICE, BOB, submit, two_offices, until
from tests.service import END_SECONDS, Server, free_base, serving

pytestmark = pytest.mark.service


def parts_of(notice: bytes) -> tuple[Message, list[Any]]:
    parsed = message_from_bytes(notice)
    assert not parsed.defects
    parts: Any = parsed.get_payload()
    return parsed, parts


def submit_with(server: Server, recipient: str, mail: tuple[str, ...], rcpt: tuple[str, ...]) -> str:
    """With parameters of MAIL and RCPT."""
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls()) as client:
        client.login(ALICE.address, ALICE.password)
        assert client.mail(ALICE.address, mail)[0] == 250
        assert client.rcpt(recipient, rcpt)[0] == 250
        code, said = client.data(f"From: {ALICE.address}\r\nSubject: asked\r\n\r\nhello\r\n".encode())
    assert code == 250
    return said.split()[-1].decode()


def test_an_unknown_user_elsewhere_comes_back_into_the_inbox(tmp_path: Path) -> None:
    with two_offices(tmp_path) as (red, _):
        journey = submit(red, ALICE, "nobody@blue.test", "to nobody")
        until(red, journey, "returned to its sender")
        (notice,) = by_imap(red, ALICE)
        assert by_pop3(red, ALICE) == [notice]
        parsed, (text, status, header) = parts_of(notice)
        assert parsed["Return-Path"] == "<>"
        assert parsed["From"] == "Mail Delivery System <postmaster@red.test>"
        assert parsed["Subject"] == "Not delivered: to nobody"
        assert parsed["Auto-Submitted"] == "auto-replied"
        assert (parsed.get_content_type(), parsed.get_param("report-type")) == ("multipart/report", "delivery-status")
        said = text.get_payload()
        assert said.startswith("Your message could not be delivered to nobody@blue.test.\r\n")
        assert "There is no such address." in said
        about, recipient = status.get_payload()
        assert about["Reporting-MTA"] == "dns; mx.red.test"
        assert recipient["Final-Recipient"] == "rfc822; nobody@blue.test"
        assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
        assert recipient["Remote-MTA"] == "dns; mx.blue.test"
        assert recipient["Diagnostic-Code"].startswith("smtp; 550 5.1.1 ")
        assert header.get_content_type() == "text/rfc822-headers"
        original = message_from_bytes(header.get_payload(decode=True))
        assert (original["Subject"], original["To"]) == ("to nobody", "nobody@blue.test")
        assert parsed["References"] == original["Message-ID"]
        assert mailhost(red, "audit").startswith("no problem found\n")


def test_a_delivery_is_told_to_who_asked(tmp_path: Path) -> None:
    """At this server by this one; at another one, which has DSN, by that one, with ENVID passed on."""
    with two_offices(tmp_path) as (red, _):
        submit_with(red, ALICE.address, ("ENVID=here",), ("NOTIFY=SUCCESS",))
        notices = [each for each in arrived(red, 2) if b"multipart/report" in each]
        _, (_, status, _) = parts_of(notices[0])
        about, recipient = status.get_payload()
        assert (about["Original-Envelope-Id"], recipient["Action"]) == ("here", "delivered")
        submit_with(red, BOB.address, ("ENVID=there",), ("NOTIFY=SUCCESS",))
        (notice,) = [each for each in arrived(red, 3) if b"Reporting-MTA: dns; mx.blue.test" in each]
        _, (_, status, _) = parts_of(notice)
        about, recipient = status.get_payload()
        assert (about["Original-Envelope-Id"], recipient["Action"]) == ("there", "delivered")
        assert recipient["Final-Recipient"] == f"rfc822; {BOB.address}"


class Deferring(socketserver.StreamRequestHandler):
    """A host that asks everybody to come again, as for greylisting."""

    ANSWERS: ClassVar = {
        b"EHLO": b"250 busy.test",
        b"MAIL": b"250 OK",
        b"RCPT": b"450 4.7.1 Greylisted, come again",
        b"QUIT": b"221 Bye",
    }

    def handle(self) -> None:
        self.wfile.write(b"220 busy.test\r\n")
        while line := self.rfile.readline():
            self.wfile.write(self.ANSWERS.get(line[:4].upper(), b"250 OK") + b"\r\n")


@contextmanager
def deferring() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Deferring) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def test_a_host_that_defers_gives_one_notice_of_the_delay(tmp_path: Path) -> None:
    """To two domains, each of which defers: the notice tells of the message, and is one."""
    zone = {f"{name}.test MX": [f"10 mx.{name}.test."] for name in ("busy", "idle")}
    zone |= {f"mx.{name}.test A": ["127.0.0.1"] for name in ("busy", "idle")}
    with deferring() as port, dns_server(zone) as (_, dns):
        places = ", ".join(f'"mx.{name}.test:25" = "127.0.0.1:{port}"' for name in ("busy", "idle"))
        settings = (
            "server.host=mx.red.test",
            f'dns.servers=["127.0.0.1:{dns}"]',
            "relay.enabled=true",
            "relay.allow_private_targets=true",
            f"relay.connect_map={{{places}}}",
            "relay.warn_after=1ms",
        )
        with serving(tmp_path / "red", *settings, base=free_base()) as red:
            add(red, ALICE)
            with smtplib.SMTP_SSL("localhost", red.ports["submissions"], context=red.tls()) as client:
                client.login(ALICE.address, ALICE.password)
                content = f"From: {ALICE.address}\r\nSubject: =?utf-8?B?5Lya6K6u?=\r\n\r\nhello\r\n"
                client.sendmail(ALICE.address, ["bob@busy.test", "eve@idle.test"], content)
            (row,) = [line for line in red.log().splitlines() if "queue.add" in line and "bob@busy.test" in line]
            journey = re.search(r"journey=(\w+)", row)
            assert journey is not None
            deadline = time.monotonic() + END_SECONDS
            while (said := mailhost(red, "trace", journey[1])).count("tried once") < 2:
                assert time.monotonic() < deadline, said
            (notice,) = arrived(red, 1)
            parsed, (text, status, _) = parts_of(notice)
            said = text.get_payload(decode=True).decode()
            assert said.startswith("您的邮件尚未送达 2 位收件人。")
            assert "对方服务器要求首次来信的服务器稍后再试" in said
            assert "Your message has not reached 2 recipients yet." in said
            assert str(make_header(decode_header(parsed["Subject"]))) == "尚未送达：会议"
            _, *recipients = status.get_payload()
            assert {each["Final-Recipient"] for each in recipients} == {
                "rfc822; bob@busy.test",
                "rfc822; eve@idle.test",
            }
            assert {each["Action"] for each in recipients} == {"delayed"}
            assert all(each["Will-Retry-Until"] for each in recipients)


def arrived(server: Server, count: int) -> list[bytes]:
    """Alice's messages, when there are so many."""
    deadline = time.monotonic() + END_SECONDS
    while len(found := by_imap(server, ALICE)) < count:
        assert time.monotonic() < deadline, server.log()[-3000:]
    assert len(found) == count
    return found
