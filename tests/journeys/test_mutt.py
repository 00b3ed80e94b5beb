"""mutt writes in batch mode, files its copy, and reads a mailbox on a terminal that this test plays."""

import email
import email.policy
import os
import re
import subprocess
from contextlib import AbstractContextManager
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.journeys.contents import CONTENTS, delivered, name_of
from tests.journeys.readers import Person, by_imap, by_pop3, imap
from tests.journeys.terminal import Terminal, terminal
from tests.journeys.writers import send
from tests.service import END_SECONDS, Server, serving

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
set delete = yes
set confirmcreate = no
set confirmappend = no
set imap_idle = yes
set timeout = 1
"""
TEXT = "你好, Bob.\n.\n.. dots\nFrom here on: Grüße\n"
NOISE = bytes(range(256)) * 500


@pytest.mark.parametrize(
    ("smtp", "listener", "mechanism"), [("smtps", "submissions", "plain"), ("smtp", "submission", "login")]
)
def test_it_sends_and_files_a_copy(
    office: Server, carol: Person, bob: Person, tmp_path: Path, smtp: str, listener: str, mechanism: str
) -> None:
    settings = configured(office, carol, tmp_path, smtp, listener, mechanism)
    (tmp_path / "noise.bin").write_bytes(NOISE)
    attached = ["-a", str(tmp_path / "noise.bin"), "--", bob.address]
    ended = mutt(settings, "-s", "Lunch", *attached, given=TEXT)
    assert ended.returncode == 0, ended.stderr
    (served,) = by_imap(office, bob)
    (copy,) = by_imap(office, carol, "Sent")
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
    send(office, alice, bob, *names)
    settings = configured(office, bob, tmp_path, "smtps", "submissions", "plain")
    target = tmp_path / "messages"
    target.mkdir()
    keys = "".join(f"<jump>{n}<enter><pipe-message>cat > {target}/{n}<enter>" for n in range(1, len(names) + 1))
    push(settings, keys + "<exit>")
    with on_a_terminal(settings, spool(office)) as screen:
        seen = screen.until_it_leaves()
    read = [(target / str(n)).read_bytes() for n in range(1, len(names) + 1) if (target / str(n)).exists()]
    assert len(read) == len(names), seen
    assert [delivered(octets.replace(b"\n", b"\r\n")).content for octets in read] == [CONTENTS[n] for n in names]


def test_it_flags_deletes_moves_and_copies(office: Server, alice: Person, bob: Person, tmp_path: Path) -> None:
    """Into a mailbox with a Chinese name, which it makes and then opens."""
    names = ["text", "dots", "8-bit", "Chinese", "blank lines"]
    send(office, alice, bob, *names)
    settings = configured(office, bob, tmp_path, "smtps", "submissions", "plain")
    act = ["<flag-message>", "<save-message>=会议<enter>", "<copy-message>=会议<enter>", "<delete-message>"]
    keys = "".join(f"<jump>{number}<enter>{keys}" for number, keys in enumerate(act, 2))
    target = tmp_path / "moved"
    look = f"<change-folder>=会议<enter><jump>1<enter><pipe-message>cat > {target}<enter>"
    push(settings, f"{keys}<sync-mailbox>{look}<exit>")
    with on_a_terminal(settings, spool(office)) as screen:
        screen.until_it_leaves()
    assert name_of(target.read_bytes()) == "8-bit"
    assert [name_of(served) for served in by_pop3(office, bob)] == ["text", "dots", "Chinese"]
    assert [delivered(served).content for served in by_imap(office, bob, "&TxqLrg-")] == [
        CONTENTS["8-bit"],
        CONTENTS["Chinese"],
    ]
    with imap(office, bob) as client:
        client.select(readonly=True)
        assert client.uid("SEARCH", "FLAGGED")[1] == [b"2"]


def test_it_waits_in_idle(tmp_path: Path) -> None:
    with serving(tmp_path / "data", wire=True) as server:
        alice, bob = (Person(address, server.password) for address in server.addresses)
        settings = configured(server, bob, tmp_path, "smtps", "submissions", "plain")
        with on_a_terminal(settings, spool(server)) as screen:
            screen.until("Welcome to mailhost")
            send(server, alice, bob, "attachment")
            screen.until("attachment")
            screen.type("x")
            screen.until_it_leaves()
        said = server.log()
    assert re.search(r" C: \w+ IDLE\n(?:(?! C: ).*\n)*?.* S: \* 2 EXISTS\n", said), said


def test_another_certificate_authority_is_not_trusted(
    office: Server, alice: Person, bob: Person, tmp_path: Path
) -> None:
    settings = configured(office, alice, tmp_path, "smtps", "submissions", "plain")
    settings.write_text(settings.read_text().replace(office.ca, "/etc/ssl/certs/ca-certificates.crt"))
    assert mutt(settings, "-s", "Lunch", "--", bob.address, given=TEXT).returncode != 0
    assert by_imap(office, bob) == []


def push(settings: Path, keys: str) -> None:
    """What it is to type by itself when it has started."""
    with settings.open("a") as file:
        file.write(f"push '{keys}'\n")


def spool(server: Server) -> str:
    return f"imaps://localhost:{server.ports['imaps']}/INBOX"


def configured(server: Server, person: Person, folder: Path, smtp: str, listener: str, mechanism: str) -> Path:
    path = folder / "muttrc"
    facts = {"smtp": smtp, "smtp_port": server.ports[listener], "imaps": server.ports["imaps"]}
    path.write_text(SETTINGS.format(person=person, ca=server.ca, folder=folder, mechanism=mechanism, **facts))
    return path


def mutt(settings: Path, *arguments: str, given: str) -> subprocess.CompletedProcess[bytes]:
    command = ["mutt", "-F", str(settings), *arguments]
    return subprocess.run(
        command,
        input=given.encode(),
        capture_output=True,
        env=environment(settings),
        timeout=2 * END_SECONDS,
        check=False,
    )


def on_a_terminal(settings: Path, mailbox: str) -> AbstractContextManager[Terminal]:
    return terminal(["mutt", "-F", str(settings), "-f", mailbox], environment(settings))


def environment(settings: Path) -> dict[str, str]:
    return os.environ | {"HOME": str(settings.parent), "LC_ALL": "C.UTF-8"}
