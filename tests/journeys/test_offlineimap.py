"""offlineimap3 keeps a Maildir and an account alike, both ways: messages, flags, deletes, folders, within TLS.

What offlineimap changes: it ends lines as Unix does, and as mail does what it sends up. The rest must be the octets themselves.
Its STARTTLS has no part here: it verifies no certificate, and it hangs in about every second run, on any server with TLS 1.3
(one thread of its imaplib2 reads the session tickets while another writes its first command, which is lost).
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.journeys.contents import CONTENTS, delivered, name_of
from tests.journeys.readers import Person, by_imap, by_uid, imap
from tests.journeys.writers import send
from tests.service import END_SECONDS, Server

pytestmark = [pytest.mark.service, pytest.mark.soak, pytest.mark.client("offlineimap")]

SETTINGS = """\
[general]
accounts = one
metadata = {folder}/metadata
socktimeout = {seconds}

[Account one]
localrepository = near
remoterepository = far
utf8foldernames = yes

[Repository near]
type = Maildir
localfolders = {folder}/mail

[Repository far]
type = IMAP
remotehost = localhost
remoteport = {port}
remoteuser = {person.address}
remotepass = {person.password}
ssl = yes
starttls = no
sslcacertfile = {ca}
"""
IN_UTF_7 = "&TxqLrg-"


def configured(server: Server, person: Person, folder: Path, ca: str = "") -> Path:
    path = folder / "offlineimaprc"
    facts = {
        "port": server.ports["imaps"],
        "ca": ca or server.ca,
        "seconds": END_SECONDS,
    }
    path.write_text(SETTINGS.format(person=person, folder=folder, **facts))
    return path


def offlineimap(settings: Path, *, succeeds: bool = True) -> str:
    command = ["offlineimap", "-c", str(settings), "-o", "-u", "basic"]
    ended = subprocess.run(
        command,
        env=os.environ | {"HOME": str(settings.parent), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=4 * END_SECONDS,
        check=False,
    )
    said = (ended.stdout + ended.stderr).decode(errors="replace")
    assert (ended.returncode == 0) is succeeds, said[-4000:]
    return said


def by_name(maildir: Path) -> dict[str, bytes]:
    served = [path.read_bytes().replace(b"\n", b"\r\n") for path in files(maildir)]
    return {name_of(octets): octets for octets in served}


def files(maildir: Path) -> list[Path]:
    return [path for part in ("cur", "new") for path in (maildir / part).iterdir()]


def test_a_maildir_and_an_account_become_alike(office: Server, alice: Person, bob: Person, tmp_path: Path) -> None:
    """What changes here goes up: a flag, a delete, a new message, a folder with a Chinese name."""
    send(office, alice, bob)
    settings, inbox = configured(office, bob, tmp_path), tmp_path / "mail" / "INBOX"
    offlineimap(settings)
    found = by_name(inbox)
    assert {name: delivered(found[name]).content for name in CONTENTS} == CONTENTS

    mark(file_of(inbox, "dots"), "S")
    file_of(inbox, "text").unlink()
    meeting = maildir(tmp_path / "mail" / "会议")
    for number, content in enumerate(CONTENTS.values()):
        (meeting / "new" / f"{number}.written").write_bytes(content.replace(b"\r\n", b"\n"))
    offlineimap(settings)
    kept = by_uid(office, bob)
    assert [name_of(each) for each in kept.values()] == [name for name in CONTENTS if name != "text"]
    with imap(office, bob) as client:
        client.select(readonly=True)
        assert client.uid("SEARCH", "SEEN")[1] == [b"4"]
    assert {name_of(each): each for each in by_imap(office, bob, IN_UTF_7)} == CONTENTS

    offlineimap(settings)
    assert by_uid(office, bob) == kept, "a third run finds nothing to do"


def test_what_others_change_on_the_server_comes_down(
    office: Server, alice: Person, bob: Person, tmp_path: Path
) -> None:
    send(office, alice, bob, "text", "dots", "8-bit", "Chinese")
    settings, mail = configured(office, bob, tmp_path), tmp_path / "mail"
    offlineimap(settings)
    with imap(office, bob) as client:
        client.select()
        client.uid("STORE", "1", "+FLAGS", "(\\Flagged \\Answered)")
        client.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.uid("MOVE", "3", "Archive")
        client.create(IN_UTF_7)
        client.append(IN_UTF_7, "(\\Seen)", "", CONTENTS["raw Chinese"])
    offlineimap(settings)
    assert set(by_name(mail / "INBOX")) == {"text", "Chinese"}
    assert file_of(mail / "INBOX", "text").name.endswith(":2,FR")
    assert set(by_name(mail / "Archive")) == {"8-bit"}
    assert by_name(mail / "会议") == {"raw Chinese": CONTENTS["raw Chinese"]}
    assert file_of(mail / "会议", "raw Chinese").name.endswith(":2,S")


def test_a_wrong_password_and_an_unknown_ca_are_refused(office: Server, bob: Person, tmp_path: Path) -> None:
    offlineimap(configured(office, Person(bob.address, "wrong"), tmp_path), succeeds=False)
    said = offlineimap(configured(office, bob, tmp_path, ca="/etc/ssl/certs/ca-certificates.crt"), succeeds=False)
    assert "certificate" in said.lower()
    assert not (tmp_path / "mail" / "INBOX").exists()


def maildir(path: Path) -> Path:
    for part in ("cur", "new", "tmp"):
        (path / part).mkdir(parents=True)
    return path


def file_of(folder: Path, name: str) -> Path:
    (found,) = [path for path in files(folder) if name_of(path.read_bytes()) == name]
    return found


def mark(path: Path, flags: str) -> None:
    path.rename(path.parents[1] / "cur" / (path.name.partition(":")[0] + ":2," + flags))
