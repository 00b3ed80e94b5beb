"""`mailhost trace`, beside a running server: the true story of each copy, in plain words."""

import json
import smtplib
import time
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path

import pytest

from tests.journeys.administrator import mailhost
from tests.journeys.readers import Person, imap, pop3
from tests.service import END_SECONDS, Server, serving

pytestmark = pytest.mark.service


def submit(server: Server, sender: Person, subject: str, *recipients: str) -> str:
    """Answers with the journey."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender.address, recipients[0], subject
    message.set_content("Hello")
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls()) as client:
        client.login(sender.address, sender.password)
        client.mail(sender.address)
        for recipient in recipients:
            client.rcpt(recipient)
        code, said = client.data(message.as_bytes(policy=SMTP))
    assert code == 250
    return said.split()[-1].decode()


def told(server: Server, *words: str, until: str) -> list[str]:
    """Events are written a moment after they happened: ask until `until` is among them."""
    deadline = time.monotonic() + END_SECONDS
    while until not in (said := mailhost(server, "trace", *words)):
        assert time.monotonic() < deadline, said
    return said.splitlines()


def test_a_submitted_message_is_found_by_its_recipients(office: Server, alice: Person, bob: Person) -> None:
    journey = submit(office, alice, "a quote", bob.address, "carol@elsewhere.example")
    first, named, here, there, elsewhere = mailhost(office, "trace", alice.address, bob.address).splitlines()
    assert first.startswith(f"{journey}: accepted ")
    assert f"from <{alice.address}> (127.0.0.1, logged in)" in first
    assert named.startswith("  Subject: a quote   Message-ID: <")
    assert here.startswith(f"  {bob.address}: stored in INBOX as UID 1, ")
    assert there == "    now in INBOX as UID 1, not read"
    assert elsewhere == "  carol@elsewhere.example: waiting for relay to elsewhere.example, not sent"
    values = json.loads(mailhost(office, "trace", journey, "--json"))
    assert [each["state"] for each in values["recipients"]] == ["stored", "waiting"]
    by_message_id = named.partition("Message-ID: ")[2]
    assert json.loads(mailhost(office, "trace", by_message_id, "--json")) == values


def test_who_fetched_marked_moved_and_deleted_it(office: Server, alice: Person, bob: Person, carol: Person) -> None:
    journey = submit(office, alice, "two readers", bob.address, carol.address)
    with pop3(office, bob) as client:
        client.retr(1)
        client.dele(1)
    with imap(office, carol) as client:
        client.xatom("ID", '("name" "Thunderbird" "version" "128")')
        client.select()
        client.fetch("1", "(BODY[])")
        client.store("1", "+FLAGS", r"(\Flagged)")
        client.uid("MOVE", "1", "Archive")
    lines = told(office, journey, until="moved to Archive")
    start, middle = (next(n for n, line in enumerate(lines) if person.address in line) for person in (bob, carol))
    assert [line[13:] for line in lines[start + 1 : middle]] == [
        "fetched by POP3 from 127.0.0.1",
        "deleted by POP3 from 127.0.0.1",
    ]
    by = " by IMAP from 127.0.0.1 (Thunderbird)"
    assert [line[13:] for line in lines[middle + 1 : -1]] == [
        f"marked \\Seen{by}",
        f"fetched{by}",
        f"marked \\Flagged{by}",
        f"moved to Archive as UID 1{by}",
    ]
    assert lines[-1] == "    now in Archive as UID 1, marked \\Flagged \\Seen"


def test_what_was_refused_at_rcpt_is_found_by_either_address(office: Server) -> None:
    with smtplib.SMTP("localhost", office.ports["smtp"]) as client:
        client.ehlo()
        client.mail("eve@far.example")
        assert client.rcpt("no-such-person@example.org")[0] == 550
        assert client.rcpt("somebody@elsewhere.example")[0] == 550
    (line,) = told(office, "no-such-person@example.org", until="refused")
    assert "refused: a message from <eve@far.example> for no-such-person@example.org; answered 550 5.1.1" in line
    assert line.endswith("(127.0.0.1 by smtp)")
    assert len(told(office, "eve@far.example", until="somebody@")) == 2


def test_what_was_refused_after_data_is_found_and_what_came_slowly_is_told_by_its_end(
    office: Server, alice: Person, bob: Person
) -> None:
    with smtplib.SMTP_SSL("localhost", office.ports["submissions"], context=office.tls()) as client:
        client.login(alice.address, alice.password)
        client.mail(alice.address)
        client.rcpt(bob.address)
        code, _ = client.data(b"From: somebody-else@example.org\r\n\r\nHello\r\n")
        assert code == 550
        client.mail(alice.address)
        client.rcpt(bob.address)
        client.putcmd("data")
        assert client.getreply()[0] == 354
        client.send(b"From: " + alice.address.encode() + b"\r\nSubject: slowly\r\n\r\n")
        begun = time.time()
        time.sleep(1.2)  # a person types
        client.send(b"Hello\r\n.\r\n")
        assert client.getreply()[0] == 250
    (line,) = [each for each in told(office, bob.address, until="refused") if "refused" in each]
    assert f"refused: a message from <{alice.address}> for {bob.address}; answered 550 5.7.1 Not sent: " in line
    values = json.loads(mailhost(office, "trace", "slowly", "--json"))
    assert values["accepted_at"] / 1000 >= begun + 1


def test_after_a_kill_the_story_is_true(tmp_path: Path) -> None:
    """What the last events would have told may be lost; where the message is, is not."""
    data = tmp_path / "data"
    with serving(data) as server:
        alice, bob = (Person(address, server.password) for address in server.addresses)
        journey = submit(server, alice, "before the end", bob.address, "x@elsewhere.example")
        with pop3(server, bob) as client:
            client.retr(2)
            client.dele(2)
        server.kill()
    with serving(data) as server:
        _, _, stored, *steps, waiting = mailhost(server, "trace", journey).splitlines()
        assert stored.startswith(f"  {bob.address}: stored in INBOX as UID 2, ")
        assert waiting == "  x@elsewhere.example: waiting for relay to elsewhere.example, not sent"
        assert steps
        assert "deleted" in steps[-1]
        assert all(step[13:].startswith(("fetched by POP3", "deleted")) for step in steps)
        assert mailhost(server, "audit").startswith("no problem found\n")


def test_nothing_found_is_said_and_is_1(office: Server) -> None:
    said = mailhost(office, "trace", "nobody@nowhere.example", code=1)
    assert said == "no such message is in the ledger, and none that was refused\n"
