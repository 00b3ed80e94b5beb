"""IMAPClient: a program's whole day on IMAP, by STARTTLS and by TLS; what it did is seen by POP3 and by another client too."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from imapclient import DELETED, FLAGGED, SEEN, IMAPClient
from imapclient.exceptions import IMAPClientError, LoginError

from tests.journeys.contents import CONTENTS, MEETING, delivered, name_of
from tests.journeys.readers import Person, by_imap, by_pop3, imap
from tests.journeys.writers import send
from tests.service import END_SECONDS, Server

pytestmark = pytest.mark.service

FOLDER = "会议/合同 2026"


@contextmanager
def logged_in(server: Server, person: Person, listener: str = "imaps") -> Iterator[IMAPClient]:
    with IMAPClient(
        "localhost",
        server.ports[listener],
        ssl=listener == "imaps",
        ssl_context=server.tls() if listener == "imaps" else None,
        timeout=END_SECONDS,
    ) as client:
        if listener == "imap":
            client.starttls(server.tls())
        client.login(person.address, person.password)
        yield client


def octets(client: IMAPClient) -> dict[int, bytes]:
    """The selected mailbox, by UID; each size is what RFC822.SIZE says."""
    fetched = {uid: client.fetch(uid, ["RFC822.SIZE", "BODY.PEEK[]"])[uid] for uid in client.search()}
    assert all(each[b"RFC822.SIZE"] == len(each[b"BODY[]"]) for each in fetched.values())
    return {uid: each[b"BODY[]"] for uid, each in fetched.items()}


@pytest.mark.parametrize("listener", ["imap", "imaps"])
def test_what_is_delivered_and_what_is_appended_comes_back(
    office: Server, alice: Person, bob: Person, listener: str
) -> None:
    send(office, alice, bob)
    with logged_in(office, bob, listener) as client:
        assert client.select_folder("INBOX")[b"EXISTS"] == len(CONTENTS)
        served = octets(client)
        assert [delivered(each).content for each in served.values()] == list(CONTENTS.values())
        client.create_folder(FOLDER)
        for content in CONTENTS.values():
            client.append(FOLDER, content, [SEEN, b"$Work"])
        client.select_folder(FOLDER)
        assert list(octets(client).values()) == list(CONTENTS.values())
        assert all({SEEN, b"$Work"} <= set(flags) for flags in client.get_flags(client.search()).values())
    assert by_pop3(office, bob) == list(served.values())


def test_folders_come_and_go(office: Server, bob: Person) -> None:
    with logged_in(office, bob) as client:
        names = {name for _, _, name in client.list_folders()}
        assert {"INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"} <= names
        assert client.find_special_folder(rb"\Sent") == "Sent"
        client.create_folder(FOLDER)
        client.rename_folder(FOLDER, "会议/2027")
        client.subscribe_folder("会议/2027")
        assert {name for _, _, name in client.list_folders()} == names | {"会议", "会议/2027"}
        assert "会议/2027" in {name for _, _, name in client.list_sub_folders()}
        with imap(office, bob) as other:
            assert other.status("&TxqLrg-/2027", "(MESSAGES)")[0] == "OK"
        client.unsubscribe_folder("会议/2027")
        client.delete_folder("会议/2027")
        client.delete_folder("会议")
        assert {name for _, _, name in client.list_folders()} == names
        with pytest.raises(IMAPClientError, match="No such mailbox"):
            client.select_folder(FOLDER)


def test_flags_copies_moves_and_expunges(office: Server, alice: Person, bob: Person) -> None:
    send(office, alice, bob, "text", "dots", "8-bit", "Chinese")
    with logged_in(office, bob) as client:
        client.create_folder(FOLDER)
        client.select_folder("INBOX")
        assert all({FLAGGED, SEEN} <= set(flags) for flags in client.add_flags([1, 2], [FLAGGED, SEEN]).values())
        client.remove_flags(2, [FLAGGED])
        assert (client.search(["FLAGGED"]), client.search(["SEEN"])) == ([1], [1, 2])
        assert client.search(["SUBJECT", MEETING], "UTF-8") == [4]
        client.copy([1], FOLDER)
        client.move([4], FOLDER)
        client.delete_messages([2])
        assert client.search(["DELETED"]) == [2]
        client.uid_expunge([2])
        assert client.search() == [1, 3]
        assert client.folder_status(FOLDER, ["MESSAGES", "UIDNEXT", "UNSEEN"]) == {
            b"MESSAGES": 2,
            b"UIDNEXT": 3,
            b"UNSEEN": 1,
        }
        client.select_folder(FOLDER)
        assert [name_of(each) for each in octets(client).values()] == ["text", "Chinese"]
        assert DELETED not in client.get_flags(1)[1]
    assert [name_of(each) for each in by_pop3(office, bob)] == ["text", "8-bit"]
    assert [name_of(each) for each in by_imap(office, bob)] == ["text", "8-bit"]


def test_idle_hears_a_delivery_and_what_another_session_does(office: Server, alice: Person, bob: Person) -> None:
    send(office, alice, bob, "text")
    with logged_in(office, bob) as client, imap(office, bob) as other:
        client.select_folder("INBOX")
        other.select()
        client.idle()
        send(office, alice, bob, "dots")
        heard = told(client, b"EXISTS")
        assert heard[-1][:2] == (2, b"EXISTS")
        other.store("1", "+FLAGS", "(\\Answered)")
        number, _, (_, flags) = told(client, b"FETCH")[-1][:3]
        assert (number, b"\\Answered" in flags) == (1, True)
        other.store("1", "+FLAGS", "(\\Deleted)")
        other.expunge()
        assert told(client, b"EXPUNGE")[-1] == (1, b"EXPUNGE")
        client.idle_done()
        assert client.search() == [2]


def told(client: IMAPClient, kind: bytes) -> list[tuple[Any, ...]]:
    """What IDLE says until the first response of this kind."""
    heard: list[tuple[Any, ...]] = []
    while not any(kind in each for each in heard):
        more = client.idle_check(timeout=END_SECONDS)
        assert more, heard
        heard += more
    return [each for each in heard if kind in each][:1]


def test_a_structure_is_read_as_it_was_written(office: Server, bob: Person) -> None:
    """BODYSTRUCTURE, ENVELOPE and a part, as programs take attachments out."""
    with logged_in(office, bob) as client:
        client.append("Drafts", CONTENTS["attachment"])
        client.append("Drafts", CONTENTS["raw Chinese"])
        client.select_folder("Drafts", readonly=True)
        found = client.fetch([1, 2], ["ENVELOPE", "BODYSTRUCTURE", "BODY.PEEK[2]"])
        structure = found[1][b"BODYSTRUCTURE"]
        assert structure.is_multipart
        kinds = [(part[0].lower(), part[1].lower()) for part in structure[0]]
        assert kinds == [(b"text", b"plain"), (b"application", b"octet-stream")]
        assert found[1][b"BODY[2]"] in CONTENTS["attachment"]
        assert len(found[1][b"BODY[2]"]) > 300_000
        assert found[2][b"ENVELOPE"].subject == MEETING.encode("gb18030")


def test_a_wrong_password_and_an_unknown_ca_are_refused(office: Server, bob: Person) -> None:
    with pytest.raises(LoginError), logged_in(office, Person(bob.address, "wrong")):
        pass
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        IMAPClient("localhost", office.ports["imaps"], timeout=END_SECONDS)
