"""msmtp, as scripts and mutt use it for sendmail: by STARTTLS and by TLS, each mechanism, the certificate verified."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.journeys.contents import CONTENTS, delivered, header
from tests.journeys.readers import Person, by_imap, by_pop3
from tests.service import END_SECONDS, Server

pytestmark = [pytest.mark.service, pytest.mark.soak, pytest.mark.client("msmtp")]

SETTINGS = """\
defaults
host localhost
domain client.example
timeout {seconds}
tls on
tls_trust_file {ca}

account submission
port {ports[submission]}
from {person.address}
auth {mechanism}
user {person.address}
password "{person.password}"

account submissions : submission
port {ports[submissions]}
tls_starttls off

account smtp
port {ports[smtp]}
from {person.address}
"""
NO_LOGIN, NO_TRUST, REFUSED_RECIPIENT = 77, 69, 65


def msmtp(settings: Path, account: str, content: bytes, *arguments: str, code: int = 0) -> bytes:
    """As sendmail: it makes CRLF of each LF, so it gets lines as Unix has them."""
    command: Sequence[str] = ["msmtp", "--file", str(settings), "--account", account, *arguments]
    given = content.replace(b"\r\n", b"\n")
    ended = subprocess.run(command, input=given, capture_output=True, timeout=2 * END_SECONDS, check=False)
    assert ended.returncode == code, ended.stderr
    return ended.stderr


def configured(server: Server, person: Person, folder: Path, *, mechanism: str = "on", ca: str = "") -> Path:
    path = folder / "msmtprc"
    facts = {"ca": ca or server.ca, "ports": server.ports, "seconds": END_SECONDS}
    path.write_text(SETTINGS.format(person=person, mechanism=mechanism, **facts))
    path.chmod(0o600)  # it reads no password that others could read
    return path


@pytest.mark.parametrize(
    ("account", "mechanism"),
    [("submission", "plain"), ("submission", "login"), ("submissions", "on"), ("smtp", "off")],
)
def test_every_content_arrives_as_it_was_sent(
    office: Server, alice: Person, bob: Person, tmp_path: Path, account: str, mechanism: str
) -> None:
    settings = configured(office, alice, tmp_path, mechanism=mechanism)
    for content in CONTENTS.values():
        msmtp(settings, account, content, bob.address)
    fetched = by_imap(office, bob)
    assert fetched == by_pop3(office, bob)
    assert [delivered(served).content for served in fetched] == list(CONTENTS.values())


def test_it_takes_its_recipients_from_the_header(
    office: Server, alice: Person, bob: Person, carol: Person, tmp_path: Path
) -> None:
    """`msmtp -t` takes Bcc out; each recipient gets the message once."""
    settings = configured(office, alice, tmp_path)
    content = header("lunch").replace(b"bob@example.org", bob.address.encode())
    secret = content.replace(b"Date: ", b"Bcc: %b\r\nDate: " % carol.address.encode())
    msmtp(settings, "submission", secret + b"Lunch?\r\n", "--read-recipients")
    for person in (carol, bob):
        assert [delivered(served).content for served in by_imap(office, person)] == [content + b"Lunch?\r\n"]


def test_a_wrong_password_an_unknown_ca_and_a_stranger_are_refused(
    office: Server, alice: Person, bob: Person, tmp_path: Path
) -> None:
    wrong = configured(office, Person(alice.address, "wrong"), tmp_path)
    assert b"5.7.8" in msmtp(wrong, "submission", CONTENTS["text"], bob.address, code=NO_LOGIN)
    untrusting = configured(office, alice, tmp_path, ca="/etc/ssl/certs/ca-certificates.crt")
    msmtp(untrusting, "submissions", CONTENTS["text"], bob.address, code=NO_TRUST)
    right = configured(office, alice, tmp_path)
    said = msmtp(right, "submission", CONTENTS["text"], bob.address, "x@example.org", code=REFUSED_RECIPIENT)
    assert b"550 5.1.1" in said
    assert by_imap(office, bob) == []
