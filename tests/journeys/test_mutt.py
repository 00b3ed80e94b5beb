"""mutt writes in batch mode, files its copy, and reads a mailbox on a terminal that this test plays."""

import email
import email.policy
import os
import pty
import select
import signal
import subprocess
import time
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.journeys.contents import CONTENTS, delivered
from tests.journeys.readers import Person, by_imap
from tests.journeys.writers import submission
from tests.service import END_SECONDS, Server

pytestmark = [pytest.mark.service, pytest.mark.client("mutt")]

SETTINGS = """\
set from = "{person.address}"
set realname = "Alice"
set use_envelope_from = yes
set hostname = client.example
set ssl_force_tls = yes
set ssl_starttls = yes
set ssl_ca_certificates_file = "{ca}"
set certificate_file = "{folder}/certificates"
set smtp_url = "{smtp}://{person.in_url}@localhost:{smtp_port}/"
set smtp_pass = "{person.password}"
set smtp_authenticators = "{mechanism}"
set imap_user = "{person.address}"
set imap_pass = "{person.password}"
set folder = "imaps://localhost:{imaps}/"
set spoolfile = "imaps://localhost:{imaps}/INBOX"
set record = "imaps://localhost:{imaps}/Sent"
set copy = yes
set allow_8bit = yes
set send_charset = "utf-8"
set wait_key = no
set pipe_decode = no
set header_cache = ""
set quit = yes
set timeout = 1
"""
TEXT = "你好, Bob.\n.\n.. dots\nFrom here on: Grüße\n"
NOISE = bytes(range(256)) * 500


@pytest.mark.parametrize(
    ("smtp", "listener", "mechanism"), [("smtps", "submissions", "plain"), ("smtp", "submission", "login")]
)
def test_it_sends_and_files_a_copy(
    office: Server, alice: Person, bob: Person, tmp_path: Path, smtp: str, listener: str, mechanism: str
) -> None:
    settings = configured(office, alice, tmp_path, smtp, listener, mechanism)
    (tmp_path / "noise.bin").write_bytes(NOISE)
    attached = ["-a", str(tmp_path / "noise.bin"), "--", bob.address]
    ended = mutt(settings, "-s", "Lunch", *attached, given=TEXT)
    assert ended.returncode == 0, ended.stderr
    (served,) = by_imap(office, bob)
    (copy,) = by_imap(office, alice, "Sent")
    check(delivered(served).content, bob)
    check(copy, bob)


def check(octets: bytes, receiver: Person) -> None:
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    text, noise = message.iter_parts()
    assert (message["Subject"], message["To"]) == ("Lunch", receiver.address)
    assert isinstance(text, EmailMessage)
    assert isinstance(noise, EmailMessage)
    assert text.get_content().replace("\r\n", "\n") == TEXT
    assert noise.get_content() == NOISE


def test_it_reads_a_mailbox(office: Server, alice: Person, bob: Person, tmp_path: Path) -> None:
    names = ["text", "8-bit", "gb18030", "dots", "attachment", "blank lines"]
    with submission(office, alice) as client:
        for name in names:
            client.sendmail(alice.address, [bob.address], CONTENTS[name])
    settings = configured(office, bob, tmp_path, "smtps", "submissions", "plain")
    target = tmp_path / "messages"
    target.mkdir()
    keys = "".join(f"<jump>{n}<enter><pipe-message>cat > {target}/{n}<enter>" for n in range(1, len(names) + 1))
    seen = on_a_terminal(["-F", str(settings), "-e", f"push '{keys}<exit>'", "-f", spool(office)])
    read = [(target / str(n)).read_bytes() for n in range(1, len(names) + 1) if (target / str(n)).exists()]
    assert len(read) == len(names), seen
    assert [delivered(octets.replace(b"\n", b"\r\n")).content for octets in read] == [CONTENTS[n] for n in names]


def test_another_certificate_authority_is_not_trusted(
    office: Server, alice: Person, bob: Person, tmp_path: Path
) -> None:
    settings = configured(office, alice, tmp_path, "smtps", "submissions", "plain")
    settings.write_text(settings.read_text().replace(office.ca, "/etc/ssl/certs/ca-certificates.crt"))
    assert mutt(settings, "-s", "Lunch", "--", bob.address, given=TEXT).returncode != 0
    assert by_imap(office, bob) == []


def spool(server: Server) -> str:
    return f"imaps://localhost:{server.ports['imaps']}/INBOX"


def configured(server: Server, person: Person, folder: Path, smtp: str, listener: str, mechanism: str) -> Path:
    path = folder / "muttrc"
    facts = {"smtp": smtp, "smtp_port": server.ports[listener], "imaps": server.ports["imaps"]}
    path.write_text(SETTINGS.format(person=person, ca=server.ca, folder=folder, mechanism=mechanism, **facts))
    return path


def mutt(settings: Path, *arguments: str, given: str) -> subprocess.CompletedProcess[bytes]:
    command = ["mutt", "-F", str(settings), *arguments]
    environment = os.environ | {"HOME": str(settings.parent), "LC_ALL": "C.UTF-8"}
    return subprocess.run(
        command, input=given.encode(), capture_output=True, env=environment, timeout=2 * END_SECONDS, check=False
    )


def on_a_terminal(arguments: list[str]) -> bytes:
    """What mutt showed until it left. It is ended where it does not leave by itself."""
    child, terminal = pty.fork()
    if child == 0:
        environment = os.environ | {"TERM": "xterm", "LC_ALL": "C.UTF-8", "HOME": "/nonexistent"}
        os.execvpe("mutt", ["mutt", *arguments], environment)
    shown, until = b"", time.monotonic() + 2 * END_SECONDS
    try:
        while time.monotonic() < until and select.select([terminal], [], [], END_SECONDS)[0]:
            shown += os.read(terminal, 65_536)
    except OSError:
        pass  # it has left, and nobody holds the other end
    finally:
        os.close(terminal)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    return shown
