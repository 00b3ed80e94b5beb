"""swaks: PLAIN and LOGIN, STARTTLS and implicit TLS, and as another host on port 25; the certificate verified."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.journeys.contents import CONTENTS, delivered
from tests.journeys.readers import Person, by_imap, by_pop3
from tests.service import END_SECONDS, Server

pytestmark = [pytest.mark.service, pytest.mark.client("swaks")]

WAYS: dict[str, tuple[str, Sequence[str]]] = {
    "PLAIN after STARTTLS": ("submission", ("--tls", "--auth", "PLAIN")),
    "LOGIN after STARTTLS": ("submission", ("--tls", "--auth", "LOGIN")),
    "PLAIN within TLS": ("submissions", ("--tls-on-connect", "--auth", "PLAIN")),
    "LOGIN within TLS": ("submissions", ("--tls-on-connect", "--auth", "LOGIN")),
    "another host": ("smtp", ("--tls",)),
    "another host, in clear": ("smtp", ()),
    "another host, pipelining": ("smtp", ("--pipeline",)),
}
NOT_LOGGED_IN, NO_TLS = 28, 29


def swaks(
    server: Server, way: str, sender: Person, receiver: str, content: Path, code: int = 0, *, trusting: bool = True
) -> str:
    listener, options = WAYS[way]
    command = ["swaks", "--server", "localhost", "--port", str(server.ports[listener]), "--helo", "client.example"]
    command += ["--from", sender.address, "--to", receiver, "--data", f"@{content}", "--timeout", str(END_SECONDS)]
    command += options
    if "--tls" in options or "--tls-on-connect" in options:
        command += ["--tls-verify", "--tls-ca-path", server.ca if trusting else "/etc/ssl/certs"]
    if "--auth" in options:
        command += ["--auth-user", sender.address, "--auth-password", sender.password]
    ended = subprocess.run(
        command, capture_output=True, text=True, errors="replace", timeout=2 * END_SECONDS, check=False
    )
    assert ended.returncode == code, ended.stdout[-3000:] + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("way", WAYS)
def test_every_content_arrives_as_it_was_sent(
    office: Server, alice: Person, bob: Person, tmp_path: Path, way: str
) -> None:
    file = tmp_path / "content"
    for content in CONTENTS.values():
        file.write_bytes(content + b".")  # its own end mark, or it takes a last line "." for one
        swaks(office, way, alice, bob.address, file)
    fetched = by_imap(office, bob)
    assert fetched == by_pop3(office, bob)
    assert [delivered(served).content for served in fetched] == list(CONTENTS.values())


def test_a_wrong_password_sends_nothing(office: Server, alice: Person, bob: Person, tmp_path: Path) -> None:
    file = tmp_path / "content"
    file.write_bytes(CONTENTS["text"])
    swaks(office, "PLAIN after STARTTLS", Person(alice.address, "wrong"), bob.address, file, NOT_LOGGED_IN)
    assert by_imap(office, bob) == []


def test_another_certificate_authority_is_not_trusted(
    office: Server, alice: Person, bob: Person, tmp_path: Path
) -> None:
    file = tmp_path / "content"
    file.write_bytes(CONTENTS["text"])
    swaks(office, "PLAIN within TLS", alice, bob.address, file, NO_TLS, trusting=False)
    assert by_imap(office, bob) == []


def test_other_hosts_may_not_relay(office: Server, alice: Person, tmp_path: Path) -> None:
    file = tmp_path / "content"
    file.write_bytes(CONTENTS["text"])
    said = swaks(office, "another host", alice, "somebody@elsewhere.example", file, 24)
    assert "<** 550 5.7.1" in said or "<~* 550 5.7.1" in said
