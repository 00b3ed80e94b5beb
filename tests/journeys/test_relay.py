"""From a client of one server to a mailbox of another: submission, queue, MX, port 25, POP3 and IMAP; and back."""

import json
import signal
import smtplib
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Self

import pytest

from tests.dns import dns_server
from tests.journeys.administrator import add, mailhost
from tests.journeys.readers import Person, by_imap, by_pop3
from tests.service import END_SECONDS, Server, free_base, serving

pytestmark = pytest.mark.service

SLOW = 2
"""Seconds by which a busy machine may be late."""
ALICE, BOB = Person("alice@red.test", "secret-a"), Person("bob@blue.test", "secret-b")
PEOPLE = {"red": ALICE, "blue": BOB}
ZONE = {
    "red.test MX": ["10 mx.red.test."],
    "mx.red.test A": ["127.0.0.1"],
    "blue.test MX": ["20 backup.blue.test.", "10 mx.blue.test."],
    "mx.blue.test A": ["127.0.0.1"],
    "backup.blue.test A": ["127.0.0.1"],
}


@contextmanager
def two_offices(folder: Path, *, wire: bool = False) -> Iterator[tuple[Server, Server]]:
    """red.test and blue.test; DNS leads from each to the other."""
    bases = {"red": free_base(), "blue": free_base()}
    with dns_server(ZONE) as (_, port), ExitStack() as stack:
        red, blue = (stack.enter_context(office(folder, name, bases, port, wire=wire)) for name in bases)
        yield red, blue


@contextmanager
def office(
    folder: Path, name: str, bases: dict[str, int], dns_port: int, *more: str, wire: bool = False
) -> Iterator[Server]:
    """One of several that find each other on the ports from their bases on; `more` settings where it wants some."""
    places = ", ".join(f'"mx.{each}.test:25" = "127.0.0.1:{base}"' for each, base in bases.items())
    settings = (
        f"server.host=mx.{name}.test",
        f'dns.servers=["127.0.0.1:{dns_port}"]',
        "relay.enabled=true",
        "relay.allow_private_targets=true",
        f"relay.connect_map={{{places}}}",
        *more,
    )
    is_new = not (folder / name).exists()
    with serving(folder / name, *settings, base=bases[name], wire=wire) as server:
        if is_new:
            add(server, PEOPLE[name])
        yield server


def submit(server: Server, sender: Person, recipient: str, subject: str) -> str:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender.address, recipient, subject
    message.set_content("Hello\n.\n..dots\n")
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls()) as client:
        client.login(sender.address, sender.password)
        client.mail(sender.address)
        client.rcpt(recipient)
        code, said = client.data(message.as_bytes(policy=SMTP))
    assert code == 250
    return said.split()[-1].decode()


def until(server: Server, journey: str, wanted: str) -> str:
    deadline = time.monotonic() + END_SECONDS
    while wanted not in (said := mailhost(server, "trace", journey)):
        assert time.monotonic() < deadline, said + server.log()[-3000:]
    return said


def test_there_and_back(tmp_path: Path) -> None:
    with two_offices(tmp_path) as (red, blue):
        journey = submit(red, ALICE, BOB.address, "there")
        said = until(red, journey, "delivered to mx.blue.test")
        assert "; it answered 250 2.0.0 Accepted as " in said
        (message,) = by_imap(blue, BOB)
        assert message.endswith(b"\r\n\r\nHello\r\n.\r\n..dots\r\n")
        assert by_pop3(blue, BOB) == [message]
        assert message.lower().count(b"\r\nreceived:") + message.lower().startswith(b"received:") == 2
        assert message.count(b"Delivered-To:") == message.count(b"Return-Path:") == 1
        back = submit(blue, BOB, ALICE.address, "back")
        until(blue, back, "delivered to mx.red.test")
        (answer,) = by_pop3(red, ALICE)
        assert b"Subject: back" in answer
        for server in (red, blue):
            assert mailhost(server, "audit").startswith("no problem found\n")


def test_mail_for_later_goes_at_its_time(tmp_path: Path) -> None:
    """To a mailbox here and to another host, within a second of the time that the client has asked for (RFC 4865)."""
    with two_offices(tmp_path) as (red, blue):
        add(red, carol := Person("carol@red.test", "secret-c"))
        begun = time.time()
        with smtplib.SMTP_SSL("localhost", red.ports["submissions"], context=red.tls()) as client:
            client.login(ALICE.address, ALICE.password)
            assert client.mail(ALICE.address, ["HOLDFOR=10"])[0] == 250
            for recipient in (BOB.address, carol.address):
                assert client.rcpt(recipient)[0] == 250
            code, said = client.data(f"From: {ALICE.address}\r\n\r\nlater\r\n".encode())
        assert code == 250
        journey = said.split()[-1].decode()
        assert mailhost(red, "trace", journey).count("held until ") == 2
        assert by_pop3(red, carol) == by_pop3(blue, BOB) == []
        until(red, journey, "delivered to mx.blue.test")
        told = json.loads(mailhost(red, "trace", journey, "--json"))
        late = [each["finished_at"] / 1000 - begun - 10 for each in told["recipients"]]
        assert [each["state"] for each in told["recipients"]] == ["relayed", "stored"]
        assert all(-0.1 < each < 1 + SLOW for each in late), late
        assert len(by_pop3(red, carol)) == len(by_pop3(blue, BOB)) == 1


def test_a_host_that_was_away_gets_its_mail_when_somebody_asks(tmp_path: Path) -> None:
    """Also what came while the destination was left alone."""
    bases = {"red": free_base(), "blue": free_base()}
    with dns_server(ZONE) as (_, port), office(tmp_path, "red", bases, port) as red:
        journeys = [submit(red, ALICE, BOB.address, "first")]
        until(red, journeys[0], "cannot connect to ")
        journeys.append(submit(red, ALICE, BOB.address, "second"))
        with office(tmp_path, "blue", bases, port) as blue:
            assert mailhost(red, "queue", "retry", "--destination", "blue.test") == "2 recipients to be tried now\n"
            for journey in journeys:
                until(red, journey, "delivered to mx.blue.test")
            assert len(by_imap(blue, BOB)) == 2


class SlowHost:
    """Answers a message half a second after it has all of it."""

    def __init__(self, port: int) -> None:
        self.has_all = threading.Event()
        self.messages = 0
        host = self

        class Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 mx.blue.test\r\n")
                while line := self.rfile.readline():
                    verb = line[:4].upper()
                    self.wfile.write(b"354 go\r\n" if verb == b"DATA" else b"250 2.0.0 ok\r\n")
                    if verb == b"DATA":
                        while self.rfile.readline() != b".\r\n":
                            pass
                        host.messages += 1
                        host.has_all.set()
                        time.sleep(0.5)
                        self.wfile.write(b"250 2.0.0 at last\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", port), Session, bind_and_activate=False)
        self._server.allow_reuse_address = self._server.daemon_threads = True

    def __enter__(self) -> Self:
        self._server.server_bind()
        self._server.server_activate()
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def test_a_server_that_is_ended_lets_what_it_sends_come_to_its_end(tmp_path: Path) -> None:
    """Broken off behind its last line, it would be sent again, and come twice."""
    bases = {"red": free_base(), "blue": free_base()}
    with dns_server(ZONE) as (_, port), SlowHost(bases["blue"]) as blue:
        with office(tmp_path, "red", bases, port) as red:
            journey = submit(red, ALICE, BOB.address, "slowly")
            assert blue.has_all.wait(END_SECONDS)
            red.process.send_signal(signal.SIGTERM)
            assert red.process.wait(END_SECONDS) == 0
        with office(tmp_path, "red", bases, port) as red:
            assert "delivered to mx.blue.test" in until(red, journey, "250 2.0.0 at last")
    assert blue.messages == 1
