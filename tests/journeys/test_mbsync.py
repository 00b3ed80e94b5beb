"""mbsync keeps a Maildir and a mailbox alike: messages come, flags and a new message go."""

import subprocess
from pathlib import Path

import pytest

from tests.journeys.contents import CONTENTS, delivered, name_of
from tests.journeys.readers import Person, by_imap, by_uid, imap
from tests.journeys.writers import send
from tests.service import END_SECONDS, Server

pytestmark = [pytest.mark.service, pytest.mark.client("mbsync")]

IN_UTF_7 = "&TxqLrg-"
"""会议 in modified UTF-7 (RFC 3501 section 5.1.3), which mbsync keeps for its folder too."""
SETTINGS = """\
IMAPStore far
Host localhost
Port {port}
User {person.address}
Pass {person.password}
SSLType {tls}
SystemCertificates no
CertificateFile {ca}

MaildirStore near
Path {folder}/
Inbox {folder}/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns INBOX Archive &TxqLrg-
Create Both
Expunge Both
SyncState *
"""


@pytest.mark.parametrize(("listener", "tls"), [("imaps", "IMAPS"), ("imap", "STARTTLS")])
def test_a_maildir_and_a_mailbox_become_alike(
    office: Server, alice: Person, bob: Person, tmp_path: Path, listener: str, tls: str
) -> None:
    send(office, alice, bob)
    configuration = configured(office, bob, tmp_path, listener, tls)
    mbsync(configuration)
    files = by_name(tmp_path / "INBOX")
    assert {name: delivered(octets).content for name, octets in files.items()} == CONTENTS

    mark_seen(tmp_path / "INBOX", "dots")
    remove(tmp_path / "INBOX", "text")
    (tmp_path / "INBOX" / "new" / "1.fresh").write_bytes(CONTENTS["gb18030"].replace(b"\r\n", b"\n"))
    mbsync(configuration)
    with imap(office, bob) as client:
        client.select(readonly=True)
        assert client.uid("SEARCH", "SEEN")[1] == [b"4"]
    kept = by_uid(office, bob)
    assert set(kept) == {*range(2, len(CONTENTS) + 1), len(CONTENTS) + 1}
    assert without_mark(kept[len(CONTENTS) + 1]) == CONTENTS["gb18030"]

    mbsync(configuration)
    assert by_uid(office, bob) == kept, "a third run finds nothing to do"


def test_what_others_change_on_the_server_comes_down(
    office: Server, alice: Person, bob: Person, tmp_path: Path
) -> None:
    """Flags, an expunge, a move; and a folder with a Chinese name, which goes up and comes down."""
    send(office, alice, bob, "text", "dots", "8-bit", "Chinese")
    configuration, inbox = configured(office, bob, tmp_path, "imaps", "IMAPS"), tmp_path / "INBOX"
    mbsync(configuration)
    with imap(office, bob) as client:
        client.select()
        client.uid("STORE", "1", "+FLAGS", "(\\Flagged \\Answered)")
        client.uid("STORE", "2", "+FLAGS", "(\\Deleted)")
        client.expunge()
        client.uid("MOVE", "3", "Archive")
        assert client.create(IN_UTF_7)[0] == "OK"
        client.append(IN_UTF_7, "", "", CONTENTS["raw Chinese"])
    mbsync(configuration)
    assert list(by_name(inbox)) == ["text", "Chinese"]
    assert file_of(inbox, "text").name.endswith(":2,FR")
    assert list(by_name(tmp_path / "Archive")) == ["8-bit"]
    assert by_name(tmp_path / IN_UTF_7) == {"raw Chinese": CONTENTS["raw Chinese"]}

    file_of(inbox, "Chinese").rename(tmp_path / IN_UTF_7 / "new" / "1.moved")
    mark_seen(tmp_path / IN_UTF_7, "raw Chinese")
    mbsync(configuration)
    assert [name_of(served) for served in by_imap(office, bob)] == ["text"]
    first, second = by_uid(office, bob, IN_UTF_7).values()
    assert (first, delivered(without_mark(second)).content) == (CONTENTS["raw Chinese"], CONTENTS["Chinese"])
    with imap(office, bob) as client:
        client.select(IN_UTF_7, readonly=True)
        assert client.uid("SEARCH", "SEEN")[1] == [b"1"]


def test_a_wrong_ca_is_refused(office: Server, bob: Person, tmp_path: Path) -> None:
    configuration = configured(office, bob, tmp_path, "imaps", "IMAPS")
    configuration.write_text(configuration.read_text().replace(office.ca, "/dev/null"))
    with pytest.raises(subprocess.CalledProcessError):
        mbsync(configuration)


def configured(server: Server, person: Person, folder: Path, listener: str, tls: str) -> Path:
    path = folder / "mbsyncrc"
    path.write_text(SETTINGS.format(port=server.ports[listener], person=person, tls=tls, ca=server.ca, folder=folder))
    return path


def mbsync(configuration: Path) -> None:
    command = ["mbsync", "--config", str(configuration), "--all"]
    subprocess.run(command, check=True, capture_output=True, timeout=2 * END_SECONDS)


def by_name(maildir: Path) -> dict[str, bytes]:
    """Its messages with the line ends of mail, and without mbsync's own mark."""
    served = [without_mark(path.read_bytes().replace(b"\n", b"\r\n")) for path in files(maildir)]
    found = {name_of(octets): octets for octets in served}
    return {name: found[name] for name in CONTENTS if name in found}


def files(maildir: Path) -> list[Path]:
    return [path for part in ("cur", "new") for path in (maildir / part).iterdir()]


def without_mark(octets: bytes) -> bytes:
    """mbsync marks what it sends, to find its UID."""
    head, _, rest = octets.partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"X-TUID: ")]
    return b"\r\n".join(lines) + b"\r\n\r\n" + rest


def mark_seen(maildir: Path, name: str) -> None:
    path = file_of(maildir, name)
    path.rename(maildir / "cur" / (path.name.partition(":")[0] + ":2,S"))


def remove(maildir: Path, name: str) -> None:
    file_of(maildir, name).unlink()


def file_of(maildir: Path, name: str) -> Path:
    (found,) = [path for path in files(maildir) if name_of(path.read_bytes()) == name]
    return found
