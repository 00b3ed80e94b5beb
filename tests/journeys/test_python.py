"""Two accounts write to each other with Python's own clients; what was sent is what is fetched."""

import imaplib
import poplib
import smtplib
from collections.abc import Callable

import pytest

from tests.journeys.contents import CONTENTS, delivered, header, name_of
from tests.journeys.readers import Person, by_imap, by_pop3, by_uid, imap, pop3
from tests.journeys.writers import other_host, submission, submissions
from tests.service import END_SECONDS, Server

pytestmark = pytest.mark.service
Client = Callable[[Server, Person], smtplib.SMTP]


@pytest.mark.parametrize("connect", [submission, submissions, other_host])
def test_every_content_arrives_as_it_was_sent(office: Server, alice: Person, bob: Person, connect: Client) -> None:
    with connect(office, alice) as client:
        for content in CONTENTS.values():
            assert client.sendmail(alice.address, [bob.address], content, mail_options=["BODY=8BITMIME"]) == {}
    fetched, retrieved = by_imap(office, bob), by_pop3(office, bob)
    assert fetched == retrieved
    for served, (name, content) in zip(fetched, CONTENTS.items(), strict=True):
        message = delivered(served)
        assert message.content == content, name
        assert message.ours[0] == b"Return-Path: <%b>\r\n" % alice.address.encode()
        assert message.ours[1] == b"Delivered-To: %b\r\n" % bob.address.encode()


def test_they_answer_each_other(office: Server, alice: Person, bob: Person) -> None:
    for sender, receiver, words in ((alice, bob, b"Lunch?\r\n"), (bob, alice, b"Gladly.\r\n")):
        with submission(office, sender) as client:
            client.sendmail(sender.address, [receiver.address], header("lunch") + words)
        (served,) = by_imap(office, receiver)
        assert delivered(served).content.endswith(words)


def test_submission_adds_what_is_missing_and_nothing_else(office: Server, alice: Person, bob: Person) -> None:
    """RFC 6409 sections 8.2 and 8.3. Bcc is for nobody's eyes but the sender's."""
    content = b"From: a@example.org\r\nBcc: secret@example.org\r\nSubject: bare\r\n\r\nText\r\n"
    with submissions(office, alice) as client:
        client.sendmail(alice.address, [bob.address], content)
    (served,) = by_imap(office, bob)
    date, message_id, rest = delivered(served).content.split(b"\r\n", 2)
    assert date.startswith(b"Date: ")
    assert message_id.startswith(b"Message-ID: <")
    assert rest == content.replace(b"Bcc: secret@example.org\r\n", b"")


def test_content_without_a_header_is_kept_apart_from_our_fields(office: Server, alice: Person, bob: Person) -> None:
    content = b" a line that begins with a blank\r\nReceived: by nobody\r\n"
    with other_host(office, alice) as client:
        client.sendmail("somebody@elsewhere.example", [bob.address], content)
    (served,) = by_imap(office, bob)
    assert served == by_pop3(office, bob)[0]
    assert delivered(served).content == b"\r\n" + content


def test_pop3_deletes_and_imap_sees_it(office: Server, alice: Person, bob: Person) -> None:
    with submission(office, alice) as client:
        for name in ("text", "dots", "8-bit"):
            client.sendmail(alice.address, [bob.address], CONTENTS[name])
    with pop3(office, bob) as client_of_bob:
        names = [line.split()[1] for line in client_of_bob.uidl()[1]]
        assert len(names) == 3
        client_of_bob.dele(2)
    left = by_uid(office, bob)
    assert [name_of(served) for served in left.values()] == ["text", "8-bit"]
    with pop3(office, bob) as client_of_bob:
        assert [line.split()[1] for line in client_of_bob.uidl()[1]] == [names[0], names[2]]


def test_pop3_in_clear_becomes_encrypted_by_stls(office: Server, alice: Person) -> None:
    client = poplib.POP3("localhost", office.ports["pop3"], timeout=END_SECONDS)
    with pytest.raises(poplib.error_proto):
        client.user(alice.address)
        client.pass_(alice.password)
    client.stls(context=office.tls())
    client.user(alice.address)
    client.pass_(alice.password)
    assert client.stat() == (0, 0)
    client.quit()


def test_imap_in_clear_becomes_encrypted_by_starttls(office: Server, alice: Person, bob: Person) -> None:
    with submission(office, bob) as sender:
        sender.sendmail(bob.address, [alice.address], CONTENTS["text"])
    with imaplib.IMAP4("localhost", office.ports["imap"], timeout=END_SECONDS) as client:
        with pytest.raises(imaplib.IMAP4.error):
            client.login(alice.address, alice.password)
        client.starttls(ssl_context=office.tls())
        client.login(alice.address, alice.password)
        assert client.select()[1] == [b"1"]


def test_imap_flags_copies_and_expunges(office: Server, alice: Person, bob: Person) -> None:
    with submission(office, alice) as sender:
        for name in ("text", "dots", "8-bit"):
            sender.sendmail(alice.address, [bob.address], CONTENTS[name])
    with imap(office, bob) as client:
        assert client.select()[1] == [b"3"]
        assert client.append("INBOX", "(\\Seen)", "", CONTENTS["gb18030"])[0] == "OK"
        assert client.copy("2", "Archive")[0] == "OK"
        client.store("2:3", "+FLAGS", "(\\Deleted)")
        assert len(client.expunge()[1]) == 2
        assert client.uid("SEARCH", "ALL")[1] == [b"1 4"]
        assert client.uid("SEARCH", "SEEN")[1] == [b"4"]
    assert by_imap(office, bob)[1] == CONTENTS["gb18030"]
    (copied,) = by_imap(office, bob, "Archive")
    assert delivered(copied).content == CONTENTS["dots"]


def test_each_recipient_gets_the_message_once(office: Server, alice: Person, bob: Person) -> None:
    with submission(office, alice) as client:
        client.sendmail(alice.address, [alice.address, bob.address, bob.address], CONTENTS["text"])
    assert [len(by_imap(office, each)) for each in (alice, bob)] == [1, 1]
