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
    assert "accepted 5 = stored 2 + cancelled 3" in mailhost(server, "audit")


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


def test_what_waits_is_returned_or_goes_to_another_address(server: Server) -> None:
    """The running server hears of it at once: of a notice to a user here, and of mail for a mailbox here."""
    alice, bob = (Person(address, server.password) for address in server.addresses)
    returned = submit(server, alice, "x@green.test", "returned")
    kept = submit(server, alice, "y@green.test", "redirected")
    before = len(by_pop3(server, alice))
    assert queue(server, "bounce", returned, "--why", "closed").startswith("1 recipient returned")
    notices = by_pop3(server, alice)[before:]
    assert len(notices) == 1
    assert b"returned by the administrator: closed" in notices[0]
    said = mailhost(server, "trace", returned)
    assert "its sender was told of the failure: journey " in said
    queue(server, "redirect", kept, "--to", "nobody@" + bob.address.partition("@")[2], code=67)
    assert "1 recipient left alone" in queue(server, "redirect", kept, "--to", "y@green.test")
    assert queue(server, "redirect", kept, "--to", bob.address, "--json").startswith('["')
    until(server, kept, f"{bob.address}: stored in INBOX as UID 2")
    assert b"Subject: redirected" in by_pop3(server, bob)[-1]
    assert queue(server, "list") == "nothing waits\n"
    assert mailhost(server, "audit").startswith("no problem found\n")


def test_what_waits_is_returned_while_no_server_runs(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        alice = Person(server.addresses[0], server.password)
        journey = submit(server, alice, "x@green.test", "returned")
        assert server.end() == 0
        assert queue(server, "bounce", "--all").startswith("1 recipient returned")
        told = json.loads(mailhost(server, "trace", journey, "--json"))
        assert told["recipients"][0]["state"] == "bounced"
        assert told["recipients"][0]["meaning"]["zh"]
    with serving(tmp_path / "data") as server:
        assert any(b"Subject: Not delivered: returned" in each for each in by_pop3(server, alice))


def test_a_long_list_says_how_many_more_there_are(server: Server) -> None:
    alice = Person(server.addresses[0], server.password)
    for name in "xyz":
        submit(server, alice, f"{name}@{name}.test", "waits")
    assert queue(server, "list", "--each", "--most", "2").splitlines()[2] == "(1 more; --most 0 lists all)"
    assert queue(server, "list", "--most", "1").splitlines()[1] == "(2 more; --most 0 lists all)"
    assert len(queue(server, "list", "--each", "--most", "0").splitlines()) == 3
    assert len(json.loads(queue(server, "list", "--each", "--json"))) == 3
