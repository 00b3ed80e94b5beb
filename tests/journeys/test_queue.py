"""`mailhost queue`, beside a running server that has nobody to relay to."""

import json
import smtplib
from pathlib import Path

import pytest

from tests.journeys.administrator import mailhost
from tests.journeys.readers import Person, by_pop3
from tests.journeys.test_relay import submit, until
from tests.service import Server, serving

pytestmark = pytest.mark.service


def queue(server: Server, *words: str, code: int = 0) -> str:
    return mailhost(server, "queue", *words, code=code)


def test_what_waits_is_grouped_shown_held_put_off_and_cancelled(server: Server) -> None:
    alice = Person(server.addresses[0], server.password)
    assert queue(server, "list") == "nothing waits\n"
    first = submit(server, alice, "x@green.test", "first")
    submit(server, alice, "y@green.test", "second")
    submit(server, alice, "z@blue.test", "third")
    groups = queue(server, "list").splitlines()
    assert [line.split()[:2] for line in groups] == [["2", "green.test"], ["1", "blue.test"]]
    (row,) = json.loads(queue(server, "list", first, "--each", "--json"))
    assert (row["recipient"], row["journey"], row["held"], row["tries"]) == ("x@green.test", first, False, 0)
    assert "x@green.test" in queue(server, "show", row["id"])
    assert queue(server, "hold", "--destination", "green") == "2 recipients held\n"
    assert queue(server, "list").split()[2] == "held"
    assert queue(server, "reschedule", row["id"], "--at", "90m") == "1 recipient put off\n"
    (put_off,) = json.loads(queue(server, "list", first, "--each", "--json"))
    assert 80 * 60_000 < put_off["next_try"] - row["accepted_at"] < 100 * 60_000
    assert queue(server, "release", "--recipient", "y@green.test") == "1 recipient released\n"
    assert "cancelled" in queue(server, "cancel", first)
    said = mailhost(server, "trace", first)
    assert "cancelled by the administrator" in said
    for word in ("held", "put off", "cancelled"):
        assert f" {word} by " in said
    queue(server, "cancel", code=64)  # nobody means all without saying so
    queue(server, "cancel", "nonsense", code=65)
    assert queue(server, "cancel", "--all").startswith("2 recipients cancelled")
    assert queue(server, "list") == "nothing waits\n"
    assert "3 cancelled" in mailhost(server, "audit")


def test_mail_that_is_held_back_for_later_goes_when_it_is_released(tmp_path: Path) -> None:
    """For a mailbox here too: the running server hears of it at once."""
    with serving(tmp_path / "data") as server:
        alice, bob = (Person(address, server.password) for address in server.addresses)
        with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls()) as client:
            client.login(alice.address, alice.password)
            client.mail(alice.address, ["HOLDFOR=86400"])
            client.rcpt(bob.address)
            code, said = client.data(f"From: {alice.address}\r\nSubject: later\r\n\r\nHello\r\n".encode())
        assert code == 250
        journey = said.split()[-1].decode()
        assert len(by_pop3(server, bob)) == 1  # the welcome
        assert queue(server, "retry", journey) == "1 recipient to be tried now\n"
        until(server, journey, "stored in INBOX as UID 2")
        assert len(by_pop3(server, bob)) == 2
