"""Mail in every form that our own server takes, from one office to the other: it arrives as it was sent."""

import smtplib
from pathlib import Path

import pytest

from tests.journeys.administrator import mailhost
from tests.journeys.readers import by_imap
from tests.journeys.test_relay import ALICE, BOB, two_offices, until
from tests.service import Server

pytestmark = pytest.mark.service

BINARY = (
    b"MIME-Version: 1.0\r\nSubject: binary\r\nFrom: alice@red.test\r\nContent-Type: application/octet-stream\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n\0\n.\r\n\r\r\n.\n\xff"
)
UTF8 = "Subject: größe 大小\r\nFrom: alice@red.test\r\n\r\nbödy 正文\r\n.\r\n".encode()
EIGHT = "Subject: x\r\nFrom: alice@red.test\r\n\r\nbödy of no charset\r\n".encode()
LARGE = (
    b"Subject: large\r\nFrom: alice@red.test\r\n\r\n" + b".0123456789" * 7 + b"\r\n" + (b"y" * 76 + b"\r\n") * 30_000
)


def submit(server: Server, content: bytes, *parameters: str) -> str:
    """In one chunk, as it is."""
    with smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls()) as client:
        client.login(ALICE.address, ALICE.password)
        assert client.mail(ALICE.address, parameters)[0] == 250
        assert client.rcpt(BOB.address)[0] == 250
        client.send(b"BDAT %d LAST\r\n" % len(content) + content)
        code, said = client.getreply()
    assert code == 250, said
    return said.split()[-1].decode()


def test_what_was_sent_arrives(tmp_path: Path) -> None:
    with two_offices(tmp_path) as (red, blue):
        forms = (
            (UTF8, ("SMTPUTF8", "BODY=8BITMIME")),
            (EIGHT, ()),
            (EIGHT, ("SMTPUTF8",)),
            (LARGE, ()),
            (BINARY, ("BODY=BINARYMIME",)),
        )
        for content, parameters in forms:
            until(red, submit(red, content, *parameters), "delivered to mx.blue.test")
        *plain, binary = by_imap(blue, BOB)
        assert len(plain) == len(forms) - 1
        for message, (content, _) in zip(plain, forms, strict=False):
            body = content.partition(b"\r\n\r\n")[2]
            assert message.partition(b"\r\n\r\n")[2] == body
        assert b"Content-Transfer-Encoding: base64" in binary  # IMAP without BINARY gets the surrogate
        assert b"with ESMTPS" in binary
        for server in (red, blue):
            assert mailhost(server, "audit").startswith("no problem found\n")
