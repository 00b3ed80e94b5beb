"""getmail6 hands mail to a program: by POP3 and IMAP within TLS (it has no STARTTLS), taking mail away or leaving it there.

What getmail changes: it puts a Delivered-To and a Received field of its own behind Return-Path, ends lines as Unix does, and
with IMAP notes the mailbox at the end of the header. The rest must be the octets that were served.
"""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.journeys.agent import agent, kept
from tests.journeys.contents import CONTENTS, name_of
from tests.journeys.readers import Person, by_imap, by_pop3, imap
from tests.journeys.watched import watched
from tests.journeys.writers import send
from tests.service import END_SECONDS, Server

pytestmark = [pytest.mark.service, pytest.mark.soak, pytest.mark.client("getmail")]

SETTINGS = """\
[retriever]
type = {retriever}
server = localhost
port = {port}
username = {person.address}
password = {person.password}
ca_certs = {ca}
timeout = {seconds}
{mailboxes}

[destination]
type = MDA_external
path = {program}
allow_root_commands = true

[options]
read_all = false
delete = {delete}
"""
WAYS = {"pop3s": "SimplePOP3SSLRetriever", "imaps": "SimpleIMAPSSLRetriever"}
IN_CHINESE = "&TxqLrg-"


def configured(
    server: Server, person: Person, folder: Path, listener: str, *, delete: bool, mailboxes: str = "", ca: str = ""
) -> Path:
    path = folder / "getmailrc"
    facts = {
        "retriever": WAYS[listener],
        "port": server.ports[listener],
        "ca": ca or server.ca,
        "mailboxes": mailboxes and f"mailboxes = ({mailboxes!r},)",
        "seconds": END_SECONDS,
        "delete": "true" if delete else "false",
    }
    path.write_text(SETTINGS.format(person=person, program=agent(folder), **facts))
    path.chmod(0o600)
    return path


def command(settings: Path, *more: str) -> Sequence[str]:
    return ["getmail", "--getmaildir", str(settings.parent), "--rcfile", str(settings), *more]


def getmail(settings: Path, *, succeeds: bool = True) -> str:
    ended = subprocess.run(
        command(settings), env=environment(settings), capture_output=True, timeout=4 * END_SECONDS, check=False
    )
    said = (ended.stdout + ended.stderr).decode(errors="replace")
    assert (ended.returncode == 0) is succeeds, said[-4000:]
    return said


def environment(settings: Path) -> dict[str, str]:
    return os.environ | {"HOME": str(settings.parent), "LC_ALL": "C.UTF-8", "PYTHONUNBUFFERED": "1"}


def arrived(settings: Path) -> list[bytes]:
    """Without what getmail put into them."""
    return [without_its_own(octets) for octets in kept(settings.parent)]


def without_its_own(octets: bytes) -> bytes:
    head, blank, body = octets.partition(b"\r\n\r\n")
    head = re.sub(rb"\r\nX-getmail-retrieved-from-mailbox: [^\r\n]*$", b"", head)
    ours = re.match(
        rb"(Return-Path: [^\r\n]*\r\n)Delivered-To: [^\r\n]*\r\n(Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*)", head
    )
    assert ours is not None, head
    assert b"getmail6" in ours[2]
    return ours[1] + head[ours.end() :] + blank + body


@pytest.mark.parametrize("listener", WAYS)
def test_it_takes_everything_away(office: Server, alice: Person, bob: Person, tmp_path: Path, listener: str) -> None:
    send(office, alice, bob)
    served = by_imap(office, bob)
    settings = configured(office, bob, tmp_path, listener, delete=True)
    getmail(settings)
    for found, expected, name in zip(arrived(settings), served, CONTENTS, strict=True):
        assert found == expected, name
    assert by_imap(office, bob) == by_pop3(office, bob) == []


@pytest.mark.parametrize("listener", WAYS)
def test_it_leaves_everything_and_fetches_what_is_new(
    office: Server, alice: Person, bob: Person, tmp_path: Path, listener: str
) -> None:
    """It knows messages by UIDL, or by UIDVALIDITY and UID; and removes on another day what it left."""
    send(office, alice, bob, "text", "dots")
    settings = configured(office, bob, tmp_path, listener, delete=False)
    assert "2 messages" in getmail(settings)
    send(office, alice, bob, "Chinese")
    assert "1 messages" in getmail(settings)
    assert [name_of(each) for each in arrived(settings)] == ["text", "dots", "Chinese"]
    assert [name_of(each) for each in by_pop3(office, bob)] == ["text", "dots", "Chinese"]


def test_it_reads_a_mailbox_with_a_chinese_name(office: Server, bob: Person, tmp_path: Path) -> None:
    with imap(office, bob) as client:
        assert client.create(IN_CHINESE)[0] == "OK"
        assert client.append(IN_CHINESE, "", "", CONTENTS["raw Chinese"])[0] == "OK"
    getmail(configured(office, bob, tmp_path, "imaps", delete=True, mailboxes="会议"))
    assert [name_of(each) for each in kept(tmp_path)] == ["raw Chinese"]
    assert by_imap(office, bob, IN_CHINESE) == []


def test_it_waits_in_idle(office: Server, alice: Person, bob: Person, tmp_path: Path) -> None:
    settings = configured(office, bob, tmp_path, "imaps", delete=True)
    with watched(command(settings, "--idle", "INBOX", "--trace"), environment(settings)) as until:
        until(b"Entering IDLE mode")
        send(office, alice, bob, "text")
        until(b"IDLE message received")
        until(b"Entering IDLE mode")
    assert [name_of(each) for each in arrived(settings)] == ["text"]
    assert by_imap(office, bob) == []


def test_a_wrong_password_and_an_unknown_ca_are_refused(
    office: Server, alice: Person, bob: Person, tmp_path: Path
) -> None:
    send(office, alice, bob, "text")
    wrong = Person(bob.address, "wrong")
    for listener in WAYS:
        getmail(configured(office, wrong, tmp_path, listener, delete=True), succeeds=False)
        other = "/etc/ssl/certs/ca-certificates.crt"
        getmail(configured(office, bob, tmp_path, listener, delete=True, ca=other), succeeds=False)
    assert arrived(tmp_path / "getmailrc") == []
