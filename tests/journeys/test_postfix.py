"""A real Postfix as the far side, in both directions: what we send arrives as it was sent, and so does what it sends."""

import imaplib
import json
import smtplib
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import Message
from typing import Any

import pytest

from tests.dns import dns_server
from tests.journeys.administrator import add, mailhost
from tests.journeys.readers import fetched, imap
from tests.journeys.test_relay import ALICE, until
from tests.postfix import HOST, OLD_HOST, Postfix, postfix
from tests.service import END_SECONDS, Server, free_base, serving

pytestmark = [pytest.mark.client, pytest.mark.service]

ZONE = {
    "green.test MX": [f"10 {HOST}."],
    f"{HOST} A": ["127.0.0.1"],
    "old.test MX": [f"10 {OLD_HOST}."],
    f"{OLD_HOST} A": ["127.0.0.1"],
}
GERDA = "gerda@green.test"
HEADER = b"From: alice@red.test\r\nDate: Wed, 25 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%d@red.test>\r\n"
FORMS: dict[str, tuple[bytes, Sequence[str]]] = {
    "seven bits": (b"Subject: 7bit\r\n\r\nHello\r\n\r\n", ()),
    "eight bits": ("Subject: 8bit\r\n\r\nbödy\r\n\xa0".encode("latin-1") + b"\r\n", ("BODY=8BITMIME",)),
    "dots": (b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n...\r\nFrom x\r\n.\r\n", ()),
    "no header but ours": (b"\r\nbody\r\n", ()),
    "a MiB": (b"Subject: large\r\n\r\n" + (b"." + b"y" * 75 + b"\r\n") * 13_445, ()),
    "utf-8": ("Subject: größe 大小\r\n\r\nbödy 正文\r\n".encode(), ("SMTPUTF8", "BODY=8BITMIME")),
}


@dataclass(frozen=True)
class Offices:
    """red.test is ours, green.test is Postfix's."""

    red: Server
    green: Postfix
    seen: dict[int, bytes] = field(default_factory=dict)
    """What has come into Alice's INBOX so far, by UID."""

    def submit(
        self, content: bytes, *to: str, mail: Sequence[str] = (), rcpt: Sequence[str] = (), sender: str = ALICE.address
    ) -> str:
        """Alice's client sends; the journey of her message."""
        with smtplib.SMTP_SSL("localhost", self.red.ports["submissions"], context=self.red.tls()) as client:
            client.login(ALICE.address, ALICE.password)
            said = _send(client, sender, content, to, mail, rcpt)
        return said.split()[-1].decode()

    def by_green(self, content: bytes, *to: str, mail: Sequence[str] = (), rcpt: Sequence[str] = ()) -> None:
        """Gerda's client sends."""
        with smtplib.SMTP("127.0.0.1", self.green.port) as client:
            _send(client, GERDA, content, to, mail, rcpt)

    def in_inbox(self, mark: bytes) -> bytes:
        """Alice's message that holds some octets, by a client that takes UTF-8; there is one."""
        deadline = time.monotonic() + END_SECONDS
        with imap(self.red, ALICE) as client:
            client.enable("UTF8=ACCEPT")
            while not (found := [each for each in self._inbox(client).values() if mark in each]):
                assert time.monotonic() < deadline, self.red.log()[-3_000:] + self.green.log()[-3_000:]
                time.sleep(0.05)
        (message,) = found
        return message

    def _inbox(self, client: imaplib.IMAP4) -> dict[int, bytes]:
        assert client.select("INBOX", readonly=True)[0] == "OK"
        for uid in map(int, client.uid("SEARCH", "ALL")[1][0].split()):
            if uid not in self.seen:
                self.seen[uid] = fetched(client, uid)
        return self.seen


def _send(
    client: smtplib.SMTP,
    sender: str,
    content: bytes,
    to: Sequence[str],
    mail: Sequence[str],
    rcpt: Sequence[str],
) -> bytes:
    client.command_encoding = "utf-8"
    client.ehlo("client.test")
    assert client.mail(sender, mail)[0] == 250
    for each in to:
        code, said = client.rcpt(each, rcpt)
        assert code == 250, said
    code, said = client.data(content)
    assert code == 250, said
    return said


@pytest.fixture(scope="module")
def offices(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Offices]:
    base, folder = free_base(), tmp_path_factory.mktemp("offices")
    with postfix({"red.test": base}) as green, dns_server(ZONE) as (_, dns):
        settings = (
            "server.host=mx.red.test",
            f'dns.servers=["127.0.0.1:{dns}"]',
            "relay.enabled=true",
            "relay.allow_private_targets=true",
            f'relay.connect_map={{"{HOST}:25" = "127.0.0.1:{green.port}", "{OLD_HOST}:25" = "127.0.0.1:{green.port + 1}"}}',
            'relay.retry_after=["1s"]',
        )
        with serving(folder / "red", *settings, base=base) as red:
            add(red, ALICE)
            yield Offices(red, green)
            assert mailhost(red, "audit").startswith("no problem found\n")


@pytest.mark.parametrize("form", FORMS)
def test_what_we_send_arrives_as_it_was_sent(offices: Offices, form: str) -> None:
    """Over TLS, which Postfix offers. Its local delivery puts its own fields before what came."""
    text, parameters = FORMS[form]
    content = HEADER % list(FORMS).index(form) + text
    journey = offices.submit(content, GERDA, mail=parameters)
    assert f"delivered to {HOST}" in until(offices.red, journey, "250 2.0.0 Ok: queued as")
    (kept,) = offices.green.arrived(b"id %b" % journey.encode())
    assert kept.endswith(content)
    ours, theirs = kept[: -len(content)].split(b"Received: ")[:0:-1]
    assert ours.startswith(b"from client.test ([127.0.0.1])")
    assert b"by mx.red.test" in ours
    assert b"using TLSv1.3" in theirs
    assert kept.count(b"Return-Path:") == kept.count(b"Delivered-To:") == 1, "Postfix's; ours never leave"


@pytest.mark.parametrize("form", FORMS)
def test_what_postfix_sends_arrives_as_it_was_sent(offices: Offices, form: str) -> None:
    text, parameters = FORMS[form]
    content = b"From: gerda@green.test\r\nX-Form: from green %d\r\n" % list(FORMS).index(form) + text
    offices.by_green(content, ALICE.address, mail=parameters)
    came = offices.in_inbox(b"X-Form: from green %d\r\n" % list(FORMS).index(form))
    assert came.endswith(content)
    assert came.startswith(b"Return-Path: <gerda@green.test>\r\nDelivered-To: alice@red.test\r\n")
    assert b"with UTF8SMTPS" in came if form == "utf-8" else b"with ESMTPS" in came


def test_an_address_in_other_letters(offices: Offices) -> None:
    """SMTPUTF8 on both sides (RFC 6531)."""
    content = HEADER % 100 + "To: дима@green.test\r\nSubject: тема\r\n\r\nтекст\r\n".encode()
    journey = offices.submit(content, "дима@green.test", mail=("SMTPUTF8", "BODY=8BITMIME"))
    (kept,) = offices.green.arrived(b"id %b" % journey.encode())
    assert "Delivered-To: дима@green.test\r\n".encode() in kept
    assert kept.endswith(content)


def test_many_recipients(offices: Offices) -> None:
    """More than go into one transaction; each has it once."""
    people = [f"g{at}@green.test" for at in range(230)]
    journey = offices.submit(HEADER % 101 + b"Subject: all\r\n\r\nall\r\n", *people)
    kept = offices.green.arrived(b"id %b" % journey.encode(), len(people))
    names = [message_from_bytes(each)["Delivered-To"] for each in kept]
    assert sorted(names) == sorted(people)
    until(offices.red, journey, f"delivered to {HOST}")
    rows = json.loads(mailhost(offices.red, "trace", journey, "--json"))["recipients"]
    assert [row["state"] for row in rows] == ["relayed"] * len(people)


def test_whom_postfix_refuses_comes_back_with_our_notice(offices: Offices) -> None:
    """The others have it all the same."""
    journey = offices.submit(HEADER % 102 + b"Subject: half\r\n\r\nx\r\n", "nobody@green.test", GERDA)
    offices.green.arrived(b"id %b" % journey.encode())
    about, recipient = status_of(offices.in_inbox(b"Final-Recipient: rfc822; nobody@green.test"))
    assert about["Reporting-MTA"] == "dns; mx.red.test"
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
    assert recipient["Remote-MTA"] == f"dns; {HOST}"
    assert "Nobody of this name" in recipient["Diagnostic-Code"]


def test_who_is_asked_to_come_again_does(offices: Offices) -> None:
    """Greylisting by a policy service of Postfix, as in the field."""
    content = HEADER % 103 + b"Subject: grey\r\n\r\nx\r\n"
    journey = offices.submit(content, "later@green.test", GERDA)
    kept = offices.green.arrived(b"id %b" % journey.encode(), 2)
    assert offices.green.greylisted == ["later@green.test"]
    assert {message_from_bytes(each)["Delivered-To"] for each in kept} == {GERDA, "later@green.test"}
    until(offices.red, journey, "250 2.0.0 Ok: queued as")


def test_what_the_sender_wants_to_hear_is_passed_on_to_postfix(offices: Offices) -> None:
    """NOTIFY, ENVID and ORCPT (RFC 3461 section 5.2.1); Postfix reports the delivery, by way of our port 25."""
    offices.submit(
        HEADER % 104 + b"Subject: asked\r\n\r\nx\r\n",
        GERDA,
        mail=("ENVID=red+2B1", "RET=HDRS"),
        rcpt=("NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;g+2Bx@green.test"),
    )
    about, recipient = status_of(offices.in_inbox(b"Original-Envelope-Id: red+1"))
    assert about["Reporting-MTA"] == f"dns; {HOST}"
    assert recipient["Action"] == "delivered"
    assert recipient["Final-Recipient"] == f"rfc822; {GERDA}"
    assert recipient["Original-Recipient"] == "rfc822;g+x@green.test"


def test_an_old_host_gets_what_it_understands(offices: Offices) -> None:
    """8-bit text in seven bits (RFC 6152 section 3), in clear; and as it has no DSN, we say that it was relayed (RFC 3461 section 5.2.2)."""
    text = "Hellö\r\n.\r\n" * 20
    kind = b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    content = HEADER % 105 + kind + b"Subject: old\r\n\r\n" + text.encode()
    journey = offices.submit(
        content, "otto@old.test", mail=("BODY=8BITMIME", "ENVID=old+2B1"), rcpt=("NOTIFY=SUCCESS",)
    )
    (kept,) = offices.green.arrived(b"id %b" % journey.encode())
    assert kept.isascii()
    assert b"using TLS" not in kept
    body = message_from_bytes(kept).get_payload(decode=True)
    assert isinstance(body, bytes)
    assert body.decode() == text
    about, recipient = status_of(offices.in_inbox(b"Original-Envelope-Id: old+1"))
    assert about["Reporting-MTA"] == "dns; mx.red.test"
    assert (recipient["Action"], recipient["Remote-MTA"]) == ("relayed", f"dns; {OLD_HOST}")


def test_an_old_host_gets_no_mail_in_utf_8(offices: Offices) -> None:
    """It comes back, and says why (RFC 6531 section 3.2)."""
    content = HEADER % 106 + "Subject: größe\r\n\r\nx\r\n".encode()
    offices.submit(content, "ute@old.test", mail=("SMTPUTF8", "BODY=8BITMIME"))
    about, recipient = status_of(offices.in_inbox(b"ute@old.test"))
    assert about["Reporting-MTA"] == "dns; mx.red.test"
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.6.7")
    assert not [each for each in offices.green.kept() if b"ute@old.test" in each]


def test_what_postfix_passes_on_we_report(offices: Offices) -> None:
    """Our notice of a delivery goes back by our relay, with the null reverse-path."""
    offices.by_green(
        b"Subject: asked by green\r\n\r\nx\r\n",
        ALICE.address,
        mail=("ENVID=green+2B1", "RET=HDRS"),
        rcpt=("NOTIFY=SUCCESS", "ORCPT=rfc822;alice+2Bx@red.test"),
    )
    (notice,) = offices.green.arrived(b"Original-Envelope-Id: green+1")
    about, recipient = status_of(notice)
    assert about["Reporting-MTA"] == "dns; mx.red.test"
    assert (recipient["Action"], recipient["Original-Recipient"]) == ("delivered", "rfc822; alice+x@red.test")
    assert message_from_bytes(notice)["Return-Path"] == "<>"


def test_whom_we_refuse_comes_back_with_postfix_s_notice(offices: Offices) -> None:
    """Refused at RCPT: the notice is Postfix's, and nothing of it passes our queue."""
    offices.by_green(b"Subject: to nobody\r\n\r\nx\r\n", "nobody@red.test")
    (notice,) = offices.green.arrived(b"Final-Recipient: rfc822; nobody@red.test")
    about, recipient = status_of(notice)
    assert about["Reporting-MTA"] == f"dns; {HOST}"
    assert (recipient["Action"], recipient["Status"]) == ("failed", "5.1.1")
    assert "550 5.1.1 No such user here" in recipient["Diagnostic-Code"]


def status_of(notice: bytes) -> tuple[Message, Message]:
    """What a report says of the message, and of its one recipient (RFC 3464)."""
    parts: Any = message_from_bytes(notice).get_payload()
    about, recipient = parts[1].get_payload()
    return about, recipient
