"""Relay without a login for hosts of listed networks: off by default, switched on by SIGHUP, and told by the trace."""

import signal
import smtplib
import time
from pathlib import Path

import pytest

from tests.journeys.administrator import mailhost
from tests.journeys.readers import Person, by_imap
from tests.journeys.test_reload import write
from tests.service import END_SECONDS, Server, serving

pytestmark = pytest.mark.service


def send(server: Server, *to: str) -> tuple[list[int], str]:
    """As a printer does: no login, an address of nobody. What RCPT was answered, and the end of the message."""
    with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
        client.ehlo("printer")
        assert client.mail("printer@elsewhere.test")[0] == 250
        codes = [client.rcpt(each)[0] for each in to]
        said = client.data(b"Subject: scanned\r\n\r\npage 1\r\n")[1].decode() if 250 in codes else ""
    return codes, said


def test_a_listed_network_relays(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        here = server.addresses[0]
        assert send(server, "carol@blue.test", here)[0] == [550, 250]
        write(server, "relay.networks", ["127.0.0.0/8"])
        server.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + END_SECONDS
        while (said := send(server, "carol@blue.test", here))[0] != [250, 250]:
            assert time.monotonic() < deadline, server.log()
        journey = said[1].split()[-1]
        told = mailhost(server, "trace", journey)
        assert "(127.0.0.1, of a listed network)" in told
        assert "carol@blue.test: waiting for relay to blue.test" in told
        assert "network=127.0.0.0/8" in server.log()
        messages = by_imap(server, Person(here, server.password))
        assert messages[-1].count(b"Message-ID:") == messages[-1].count(b"Date:") == 1
        assert b"Message-ID:" not in messages[-2], "what came by port 25 from elsewhere stays as it is"
        assert mailhost(server, "audit").startswith("no problem found\n")
