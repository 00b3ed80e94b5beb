"""`mailhost trace`, beside a running server: where each recipient's copy is."""

import json
import smtplib
from email.message import EmailMessage

import pytest

from tests.journeys.administrator import mailhost
from tests.journeys.readers import Person
from tests.service import Server

pytestmark = pytest.mark.service


def test_a_submitted_message_is_found_by_its_recipients(office: Server, alice: Person, bob: Person) -> None:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = alice.address, bob.address, "a quote"
    message.set_content("Hello")
    with smtplib.SMTP_SSL("localhost", office.ports["submissions"], context=office.tls()) as client:
        client.login(alice.address, alice.password)
        client.send_message(message, to_addrs=[bob.address, "carol@elsewhere.example"])
    first, here, elsewhere = mailhost(office, "trace", alice.address, bob.address).splitlines()
    assert f"from <{alice.address}> (127.0.0.1, logged in)" in first
    assert here.startswith(f"  {bob.address}: stored in INBOX as UID 1, ")
    assert elsewhere == "  carol@elsewhere.example: waiting for relay to elsewhere.example, not sent"
    values = json.loads(mailhost(office, "trace", first.split(":")[0], "--json"))
    assert [each["state"] for each in values["recipients"]] == ["stored", "waiting"]


def test_nothing_found_is_said_and_is_1(office: Server) -> None:
    assert mailhost(office, "trace", "nobody@nowhere.example", code=1) == "no such message is in the ledger\n"
