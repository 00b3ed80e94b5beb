"""What a person with a terminal sees: everything asked before the end of input is answered; --wire shows it, but no password."""

import base64
import imaplib
import poplib
import re
import smtplib
import socket
import ssl
import time
from pathlib import Path

import pytest

from tests.journeys.contents import CONTENTS, delivered
from tests.journeys.readers import Person, by_imap, by_pop3, imap, pop3
from tests.journeys.writers import submission
from tests.service import END_SECONDS, Server, serving

pytestmark = pytest.mark.service


def said(server: Server, listener: str, octets: bytes) -> list[bytes]:
    """As `printf ... | nc -N` does it: write all, end the input, read until the server has ended too."""
    with server.connect(listener) as client:
        client.sendall(octets)
        client.shutdown(socket.SHUT_WR)
        return everything(client).splitlines()


def everything(client: socket.socket) -> bytes:
    return b"".join(iter(lambda: client.recv(65_536), b""))


def test_smtp_answers_all_that_came_before_the_end_of_input(office: Server) -> None:
    answers = said(office, "smtp", b"EHLO x\r\nQUIT\r\n")
    assert answers[0].startswith(b"220 ")
    assert answers[-2].startswith(b"250 ")
    assert answers[-1].startswith(b"221 ")


def test_a_message_whose_end_came_before_the_end_of_input_is_accepted(office: Server, bob: Person) -> None:
    dialogue = f"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{bob.address}>\r\nDATA\r\n".encode()
    answers = said(office, "smtp", dialogue + CONTENTS["text"] + b".\r\n")
    assert answers[-1].startswith(b"250 2.0.0 ")
    assert [delivered(served).content for served in by_imap(office, bob)] == [CONTENTS["text"]]


def test_a_message_that_the_end_of_input_cuts_off_is_not(office: Server, bob: Person) -> None:
    dialogue = f"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<{bob.address}>\r\nDATA\r\n".encode()
    answers = said(office, "smtp", dialogue + CONTENTS["text"] + b".\r")
    assert answers[-1].startswith(b"354 ")
    assert by_imap(office, bob) == []


def test_pop3_answers_all_that_came_before_the_end_of_input(office: Server) -> None:
    answers = said(office, "pop3", b"CAPA\r\nNOOP\r\nQUIT\r\n")
    assert b"UIDL" in answers
    assert answers[-2].startswith(b"-ERR")
    assert answers[-1].startswith(b"+OK")


def test_imap_answers_all_that_came_before_the_end_of_input(office: Server) -> None:
    answers = said(office, "imap", b"a CAPABILITY\r\nb NOOP\r\nc LOGOUT\r\n")
    assert [line.split()[0] for line in answers] == [b"*", b"*", b"a", b"b", b"*", b"c"]


PATIENCE = 30.0


@pytest.mark.parametrize("ending", [b"QUIT\r\n", b""])
def test_a_maildrop_changes_only_by_quit(office: Server, alice: Person, bob: Person, ending: bytes) -> None:
    """RFC 1939 section 6: without QUIT nothing is deleted; with it, even from a client that hangs up at once."""
    with submission(office, alice) as client:
        client.sendmail(alice.address, [bob.address], CONTENTS["text"])
    with office.tls().wrap_socket(office.connect("pop3s"), server_hostname="localhost") as drop:
        drop.sendall(f"USER {bob.address}\r\nPASS {bob.password}\r\nDELE 1\r\n".encode())
        read_lines(drop, 4)
        drop.sendall(ending)
    assert left(office, bob) == ([] if ending else [CONTENTS["text"]])


def read_lines(client: ssl.SSLSocket, count: int) -> None:
    octets = b""
    while octets.count(b"\r\n") < count:
        octets += client.recv(65_536)


def left(server: Server, person: Person) -> list[bytes]:
    """The maildrop is locked as long as the session before lasts: who comes again until it is free sees what that left."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            return [delivered(served).content for served in by_pop3(server, person)]
        except poplib.error_proto as refusal:
            if b"[IN-USE]" not in refusal.args[0] or time.monotonic() > end:
                raise


def test_the_wire_log_shows_every_dialogue_and_no_password(tmp_path: Path) -> None:
    with serving(tmp_path / "data", wire=True) as server:
        alice = Person(server.addresses[0], server.password)
        with submission(server, alice) as client:
            client.sendmail(alice.address, [alice.address], CONTENTS["text"])
        log_in_by_auth_login(server, alice)
        with pop3(server, alice) as drop:
            drop.list()
            drop.retr(2)
        with imap(server, alice) as mailboxes:
            mailboxes.select()
            mailboxes.fetch("2", "(BODY[])")
            mailboxes.append("INBOX", "", "", CONTENTS["text"])
        by_authenticate(server, alice)
        assert server.end() == 0
        log = server.log()
    for line in (
        "C: STARTTLS",
        "C: rcpt TO:<alice@example.org>",
        "S: 354 ",
        "C: LIST",
        "SELECT INBOX",
        "AUTHENTICATE PLAIN",
        "S: +OK",
        "* BYE",
        "-- TLS begins: TLSv1.",
        "C: .\n",
    ):
        assert line in log, log
    for protocol, mark in (("smtp", "C"), ("pop3", "S"), ("imap", "S"), ("imap", "C")):  # DATA, RETR, FETCH, APPEND
        assert re.search(rf"{protocol} +\d+ {mark}: Subject: text\n", log), log
        assert re.search(rf"{protocol} +\d+ {mark}: \[\d+ octets of a message\]\n", log), log
    assert all(re.match(r"[0-9:.]{12} (smtp|pop3|imap) +\d+ (C:|S:|--) |\d{4}-", line) for line in log.splitlines())
    assert "Hello, Bob." not in log
    for secret in secrets(alice):
        assert secret not in log


def secrets(person: Person) -> list[str]:
    """The password in each of the forms in which it went over the wire."""
    plain = f"\0{person.address}\0{person.password}".encode()
    return [person.password, *(base64.b64encode(each).decode() for each in (person.password.encode(), plain))]


def log_in_by_auth_login(server: Server, person: Person) -> None:
    with smtplib.SMTP_SSL(
        "localhost", server.ports["submissions"], context=server.tls(), timeout=END_SECONDS
    ) as client:
        client.user, client.password = person.address, person.password
        client.ehlo()
        assert client.auth("LOGIN", client.auth_login)[0] == 235


def by_authenticate(server: Server, person: Person) -> None:
    plain = f"\0{person.address}\0{person.password}".encode()
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=END_SECONDS) as client:
        assert client.authenticate("PLAIN", lambda _: plain)[0] == "OK"
