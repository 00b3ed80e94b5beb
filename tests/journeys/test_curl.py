"""curl sends and fetches: by STARTTLS and by implicit TLS, the certificate verified against the CA that the server printed."""

import subprocess
from pathlib import Path

import pytest

from tests.journeys.contents import CONTENTS, delivered, name_of
from tests.journeys.readers import Person, by_imap, by_pop3, by_uid
from tests.journeys.writers import send as deliver
from tests.service import END_SECONDS, Server

pytestmark = [pytest.mark.service, pytest.mark.client("curl")]
FOLDER = "&TxqLrg-"
"""会议 in modified UTF-7: curl takes names as the server has them."""
UNTRUSTED, LOGIN_DENIED = 60, 67


def curl(*arguments: str, code: int = 0, content: bytes = b"") -> bytes:
    command = ["curl", "--silent", "--show-error", "--max-time", str(END_SECONDS), *arguments]
    ended = subprocess.run(command, input=content, capture_output=True, timeout=2 * END_SECONDS, check=False)
    assert ended.returncode == code, ended.stderr
    return ended.stdout


def trusting(server: Server, person: Person) -> list[str]:
    return ["--ssl-reqd", "--cacert", server.ca, "--user", f"{person.address}:{person.password}"]


def send(server: Server, listener: str, sender: Person, receiver: Person, file: Path, *more: str) -> None:
    scheme = "smtps" if listener == "submissions" else "smtp"
    login = ["--ssl-reqd", "--cacert", server.ca] if listener == "smtp" else trusting(server, sender)
    envelope = ["--mail-from", sender.address, "--mail-rcpt", receiver.address, "--upload-file", str(file)]
    curl(*login, *envelope, *more, f"{scheme}://localhost:{server.ports[listener]}/client.example")


def written(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name.replace(" ", "-")
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("listener", ["smtp", "submission", "submissions"])
def test_every_content_arrives_as_it_was_sent(
    office: Server, alice: Person, bob: Person, tmp_path: Path, listener: str
) -> None:
    for name, content in CONTENTS.items():
        send(office, listener, alice, bob, written(tmp_path, name, content))
    fetched = by_imap(office, bob)
    assert fetched == by_pop3(office, bob)
    assert [delivered(served).content for served in fetched] == list(CONTENTS.values())


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_it_logs_in_by_each_mechanism(
    office: Server, alice: Person, bob: Person, tmp_path: Path, mechanism: str
) -> None:
    file = written(tmp_path, "text", CONTENTS["text"])
    send(office, "submission", alice, bob, file, "--login-options", f"AUTH={mechanism}")
    assert [delivered(served).content for served in by_imap(office, bob)] == [CONTENTS["text"]]


@pytest.mark.parametrize("listener", ["pop3", "pop3s"])
def test_it_fetches_by_pop3(office: Server, alice: Person, bob: Person, tmp_path: Path, listener: str) -> None:
    fill(office, alice, bob, tmp_path)
    maildrop = f"{listener}://localhost:{office.ports[listener]}"
    assert len(curl(*trusting(office, bob), maildrop + "/").splitlines()) == len(CONTENTS)
    for number, content in enumerate(CONTENTS.values(), 1):
        assert delivered(curl(*trusting(office, bob), f"{maildrop}/{number}")).content == content


@pytest.mark.parametrize("listener", ["imap", "imaps"])
def test_it_fetches_by_imap(office: Server, alice: Person, bob: Person, tmp_path: Path, listener: str) -> None:
    fill(office, alice, bob, tmp_path)
    mailbox = f"{listener}://localhost:{office.ports[listener]}/INBOX"
    for uid, content in enumerate(CONTENTS.values(), 1):
        assert delivered(curl(*trusting(office, bob), f"{mailbox};UID={uid}")).content == content
    found = curl(*trusting(office, bob), f"{mailbox}?SUBJECT%20attachment")
    assert found.strip() == b"* SEARCH 6"


def test_it_appends_by_imap(office: Server, bob: Person, tmp_path: Path) -> None:
    drafts = f"imaps://localhost:{office.ports['imaps']}/Drafts"
    for name in ("text", "20 MiB"):
        curl(*trusting(office, bob), "--upload-file", str(written(tmp_path, name, CONTENTS[name])), drafts)
    assert list(by_uid(office, bob, "Drafts").values()) == [CONTENTS["text"], CONTENTS["20 MiB"]]


def test_it_leaves_mail_by_pop3_and_deletes_what_is_old(office: Server, alice: Person, bob: Person) -> None:
    """By UIDL it knows what it has: two runs, then a DELE."""
    maildrop = f"pop3s://localhost:{office.ports['pop3s']}/"
    deliver(office, alice, bob, "text", "Chinese")
    first = [line.split()[1] for line in curl(*trusting(office, bob), maildrop, "--request", "UIDL").splitlines()]
    deliver(office, alice, bob, "dots")
    second = [line.split()[1] for line in curl(*trusting(office, bob), maildrop, "--request", "UIDL").splitlines()]
    assert second[:2] == first
    assert len(set(second)) == 3
    assert delivered(curl(*trusting(office, bob), f"{maildrop}3")).content == CONTENTS["dots"]
    curl(*trusting(office, bob), f"{maildrop}1", "--request", "DELE", "--head")
    assert [name_of(served) for served in by_imap(office, bob)] == ["Chinese", "dots"]


def test_it_works_on_an_imap_account(office: Server, alice: Person, bob: Person, tmp_path: Path) -> None:
    """Each request is a session: a folder with a Chinese name, APPEND, flags, COPY, MOVE, EXPUNGE, DELETE."""

    def imap(request: str, mailbox: str = "") -> bytes:
        address = f"imaps://localhost:{office.ports['imaps']}/{mailbox}"
        return curl(*trusting(office, bob), address, *(("--request", request) if request else ()))

    deliver(office, alice, bob, "text", "dots", "8-bit", "Chinese")
    imap(f"CREATE {FOLDER}")
    assert FOLDER.encode() in imap("")
    file = written(tmp_path, "raw", CONTENTS["raw Chinese"])
    address = f"imaps://localhost:{office.ports['imaps']}/{FOLDER.replace('&', '%26')}"
    curl(*trusting(office, bob), "--upload-file", str(file), address)
    assert b"\\Flagged" in imap("STORE 1 +FLAGS (\\Seen \\Flagged)", "INBOX")
    imap(f"UID COPY 1 {FOLDER}", "INBOX")
    imap(f"UID MOVE 4 {FOLDER}", "INBOX")
    imap("UID STORE 2 +FLAGS.SILENT (\\Deleted)", "INBOX")
    assert imap("EXPUNGE", "INBOX") == b"* 2 EXPUNGE\r\n"
    assert imap("SEARCH FLAGGED", "INBOX") == b"* SEARCH 1\r\n"
    assert [name_of(served) for served in by_pop3(office, bob)] == ["text", "8-bit"]
    assert [name_of(served) for served in by_imap(office, bob, FOLDER)] == ["raw Chinese", "text", "Chinese"]
    imap(f"DELETE {FOLDER}")
    assert FOLDER.encode() not in imap("")


@pytest.mark.parametrize("listener", ["submissions", "pop3s", "imaps"])
def test_it_trusts_nobody_without_the_ca(office: Server, alice: Person, listener: str) -> None:
    """That the others pass shows something only because this fails."""
    scheme = {"submissions": "smtps"}.get(listener, listener)
    credentials = f"{alice.address}:{alice.password}"
    curl("--user", credentials, f"{scheme}://localhost:{office.ports[listener]}/", code=UNTRUSTED)


@pytest.mark.parametrize("listener", ["pop3s", "imaps"])
def test_a_wrong_password_is_denied(office: Server, bob: Person, listener: str) -> None:
    wrong = Person(bob.address, "wrong")
    curl(*trusting(office, wrong), f"{listener}://localhost:{office.ports[listener]}/", code=LOGIN_DENIED)


def fill(server: Server, sender: Person, receiver: Person, folder: Path) -> None:
    for name, content in CONTENTS.items():
        send(server, "submissions", sender, receiver, written(folder, name, content))
