"""fetchmail hands mail to a program: by POP3 and IMAP, STARTTLS and TLS; it deletes on the server, or leaves and knows by UIDL.

What fetchmail changes: it puts a Received field of its own before the others and ends lines as Unix does; 6.4 breaks a line
after 8,191 octets, with NUL and an octet of chance before the break. The rest must be the octets that were served.
"""

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.journeys.agent import agent, kept
from tests.journeys.contents import CONTENTS, name_of
from tests.journeys.readers import Person, by_imap, by_pop3, imap
from tests.journeys.watched import watched
from tests.journeys.writers import send
from tests.service import END_SECONDS, Server

pytestmark = [pytest.mark.service, pytest.mark.soak, pytest.mark.client("fetchmail")]

SETTINGS = """\
defaults
    timeout {seconds}
poll localhost
    protocol {protocol}
    port {port}
    {option}
    user "{person.address}" password "{person.password}"
    {tls} sslcertck sslcertfile "{ca}" sslcertpath "{folder}"
    {keep}
    no rewrite
    pass8bits
    mda "{program}"
"""
ALL_DONE, NOTHING_NEW, NO_LOGIN, NO_TRUST = 0, 1, 3, 2
_BREAK = re.compile(rb"([^\r\n]{8191})\0[^\n]\r\n", re.DOTALL)
WAYS = [("POP3", "pop3"), ("POP3", "pop3s"), ("IMAP", "imap"), ("IMAP", "imaps")]


def configured(
    server: Server,
    person: Person,
    folder: Path,
    protocol: str,
    listener: str,
    *,
    keep: bool,
    ca: str = "",
    mda: str = "",
) -> Path:
    facts = {
        "port": server.ports[listener],
        "option": "uidl" if protocol == "POP3" else "",
        "tls": "ssl" if listener.endswith("s") else 'sslproto "TLS1.2+"',
        "keep": "keep" if keep else "no keep",
        "seconds": END_SECONDS,
        "ca": ca or server.ca,
    }
    path = folder / "fetchmailrc"
    program = mda or agent(folder)
    path.write_text(SETTINGS.format(protocol=protocol, person=person, program=program, folder=folder, **facts))
    path.chmod(0o600)
    return path


def command(settings: Path, *more: str) -> Sequence[str]:
    return [
        "fetchmail",
        "--fetchmailrc",
        str(settings),
        "--pidfile",
        str(settings.with_name("pid")),
        "--verbose",
        *more,
    ]


def environment(settings: Path) -> dict[str, str]:
    """It keeps what it has seen in this folder."""
    return os.environ | {"FETCHMAILHOME": str(settings.parent), "HOME": str(settings.parent), "LC_ALL": "C.UTF-8"}


def fetchmail(settings: Path, code: int = ALL_DONE) -> str:
    ended = subprocess.run(
        command(settings), env=environment(settings), capture_output=True, timeout=2 * END_SECONDS, check=False
    )
    said = (ended.stdout + ended.stderr).decode(errors="replace")
    assert ended.returncode == code, said[-4000:]
    return said


def arrived(settings: Path) -> list[bytes]:
    """Without what fetchmail put into them."""
    return [without_its_own(octets) for octets in kept(settings.parent)]


def without_its_own(octets: bytes) -> bytes:
    field = re.search(rb"^Received: from localhost [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*", octets, re.MULTILINE)
    assert field is not None, octets[:300]
    assert b"(fetchmail-" in field[0]
    octets = octets[: field.start()] + octets[field.end() :]
    return octets if b"\0" not in octets else _BREAK.sub(rb"\1", octets)  # this takes long in 20 MiB


@pytest.mark.parametrize(("protocol", "listener"), WAYS)
def test_it_takes_everything_away(
    office: Server, alice: Person, bob: Person, tmp_path: Path, protocol: str, listener: str
) -> None:
    send(office, alice, bob)
    served = by_imap(office, bob)
    settings = configured(office, bob, tmp_path, protocol, listener, keep=False)
    fetchmail(settings)
    assert [name_of(each) for each in arrived(settings)] == list(CONTENTS)
    assert arrived(settings) == served
    assert by_imap(office, bob) == by_pop3(office, bob) == []
    fetchmail(settings, NOTHING_NEW)


@pytest.mark.parametrize(("protocol", "listener"), WAYS)
def test_it_leaves_everything_and_fetches_what_is_new(
    office: Server, alice: Person, bob: Person, tmp_path: Path, protocol: str, listener: str
) -> None:
    """By UIDL over POP3, by the flag Seen over IMAP."""
    send(office, alice, bob, "text", "dots")
    settings = configured(office, bob, tmp_path, protocol, listener, keep=True)
    fetchmail(settings)
    fetchmail(settings, NOTHING_NEW)
    send(office, alice, bob, "Chinese")
    fetchmail(settings)
    assert [name_of(each) for each in arrived(settings)] == ["text", "dots", "Chinese"]
    assert [name_of(each) for each in by_pop3(office, bob)] == ["text", "dots", "Chinese"]
    with imap(office, bob) as client:
        client.select(readonly=True)
        assert client.search(None, "SEEN")[1] == [b"1 2 3" if protocol == "IMAP" else b""]


def test_it_waits_in_idle(office: Server, alice: Person, bob: Person, tmp_path: Path) -> None:
    settings = configured(office, bob, tmp_path, "IMAP", "imaps", keep=False)
    with watched(command(settings, "--idle"), environment(settings)) as until:
        until(b" IDLE")
        send(office, alice, bob, "text")
        until(b" 1 EXPUNGE")
        until(b" IDLE")
    assert [name_of(each) for each in arrived(settings)] == ["text"]
    assert by_imap(office, bob) == []


def test_a_wrong_password_and_an_unknown_ca_are_refused(
    office: Server, alice: Person, bob: Person, tmp_path: Path
) -> None:
    send(office, alice, bob, "text")
    wrong = Person(bob.address, "wrong")
    fetchmail(configured(office, wrong, tmp_path, "POP3", "pop3s", keep=False), NO_LOGIN)
    other = "/etc/ssl/certs/ca-certificates.crt"
    fetchmail(configured(office, bob, tmp_path, "IMAP", "imaps", keep=False, ca=other), NO_TRUST)
    assert arrived(tmp_path / "fetchmailrc") == []


def test_it_hands_mail_over_to_mailhost_deliver(
    office: Server, alice: Person, bob: Person, carol: Person, tmp_path: Path
) -> None:
    """What arrives is what was fetched, with the sender of its envelope; and nothing is taken away that was not stored."""
    send(office, alice, bob, "text", "dots", "Chinese")
    fetched = by_imap(office, bob)
    deliver = f"{sys.executable} -m mailhost deliver --config {office.facts['config']} -f %F"
    settings = configured(office, bob, tmp_path, "POP3", "pop3s", keep=False, mda=f"{deliver} nobody@example.org")
    assert "MDA returned nonzero status 67" in fetchmail(settings)
    assert len(by_imap(office, bob)) == 3
    settings = configured(office, bob, tmp_path, "POP3", "pop3s", keep=False, mda=f"{deliver} {carol.address}")
    fetchmail(settings)
    assert by_imap(office, bob) == []
    arrived = by_imap(office, carol)
    assert [each.splitlines()[0] for each in arrived] == [f"Return-Path: <{alice.address}>".encode()] * 3
    assert [name_of(each) for each in arrived] == ["text", "dots", "Chinese"]
    assert all(without_its_own(each).endswith(whole) for each, whole in zip(arrived, fetched, strict=True))
