"""Two accounts write to each other with Python's own clients; what was sent is what is fetched."""

import imaplib
import poplib
import smtplib
import ssl
import time
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from tests.journeys.contents import CONTENTS, MEETING, delivered, header, name_of
from tests.journeys.readers import Person, by_imap, by_pop3, by_uid, imap, pop3, retrieved
from tests.journeys.writers import other_host, send, submission, submissions
from tests.service import END_SECONDS, Server

pytestmark = pytest.mark.service
FOLDER = "&TxqLrg-/2027"
"""会议/2027 in modified UTF-7, which imaplib leaves to the program."""
APPENDED = datetime(2026, 11, 21, 10, tzinfo=timezone(timedelta(hours=8)))
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


def test_they_answer_each_other(office: Server, carol: Person, bob: Person) -> None:
    for sender, receiver, words in ((carol, bob, b"Lunch?\r\n"), (bob, carol, b"Gladly.\r\n")):
        with submission(office, sender) as client:
            client.sendmail(sender.address, [receiver.address], header("lunch", author=sender.address) + words)
        (served,) = by_imap(office, receiver)
        assert delivered(served).content.endswith(words)


def test_submission_adds_what_is_missing_and_nothing_else(office: Server, alice: Person, bob: Person) -> None:
    """RFC 6409 sections 8.2 and 8.3. Bcc is for nobody's eyes but the sender's."""
    content = b"From: alice@example.org\r\nBcc: secret@example.org\r\nSubject: bare\r\n\r\nText\r\n"
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


def test_pop3_leaves_mail_on_the_server_and_fetches_what_is_new(office: Server, alice: Person, bob: Person) -> None:
    """As a client does that keeps mail for some days: it knows by UIDL what it has, and removes what is old later."""
    seen: dict[bytes, str] = {}
    send(office, alice, bob, "text", "Chinese")
    assert fetch_new(office, bob, seen) == ["text", "Chinese"]
    assert fetch_new(office, bob, seen) == []
    send(office, alice, bob, "dots")
    assert fetch_new(office, bob, seen) == ["dots"]
    old = next(iter(seen))
    with pop3(office, bob) as client:
        numbers = {uid: int(number) for number, uid in map(bytes.split, client.uidl()[1])}
        client.dele(numbers[old])
        client.rset()
        client.dele(numbers[old])
    assert [name_of(served) for served in by_imap(office, bob)] == ["Chinese", "dots"]
    assert fetch_new(office, bob, seen) == []


def fetch_new(server: Server, person: Person, seen: dict[bytes, str]) -> list[str]:
    """The names of the messages that were not seen before; each is what was sent, and as large as LIST says."""
    names = []
    with pop3(server, person) as client:
        sizes = dict(line.split() for line in client.list()[1])
        for line in client.uidl()[1]:
            number, uid = line.split()
            if uid in seen:
                continue
            served = retrieved(client, int(number))
            assert int(sizes[number]) == len(served)
            seen[uid] = name_of(served)
            assert delivered(served).content == CONTENTS[seen[uid]]
            names.append(seen[uid])
    return names


def test_pop3_in_clear_becomes_encrypted_by_stls(office: Server, bob: Person) -> None:
    client = poplib.POP3("localhost", office.ports["pop3"], timeout=END_SECONDS)
    with pytest.raises(poplib.error_proto):
        client.user(bob.address)
        client.pass_(bob.password)
    client.stls(context=office.tls())
    client.user(bob.address)
    client.pass_(bob.password)
    assert client.stat() == (0, 0)
    client.quit()


def test_imap_in_clear_becomes_encrypted_by_starttls(office: Server, alice: Person, bob: Person) -> None:
    with submission(office, alice) as sender:
        sender.sendmail(alice.address, [bob.address], CONTENTS["text"])
    with imaplib.IMAP4("localhost", office.ports["imap"], timeout=END_SECONDS) as client:
        with pytest.raises(imaplib.IMAP4.error):
            client.login(bob.address, bob.password)
        client.starttls(ssl_context=office.tls())
        client.login(bob.address, bob.password)
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


def test_imap_folders_with_chinese_names_come_and_go(office: Server, bob: Person) -> None:
    with imap(office, bob) as client:
        done(client.create, FOLDER)
        done(client.append, FOLDER, "(\\Seen $Work)", APPENDED, CONTENTS["raw Chinese"])
        done(client.subscribe, FOLDER)
        assert FOLDER.encode() in done(client.lsub)[-1]
        done(client.rename, FOLDER, "Later")
        assert done(client.status, "Later", "(MESSAGES UNSEEN)") == [b"Later (MESSAGES 1 UNSEEN 0)"]
        done(client.select, "Later")
        (told,) = done(client.uid, "FETCH", "1", "(FLAGS INTERNALDATE)")
        date = imaplib.Internaldate2tuple(told)
        assert date is not None
        assert time.mktime(date) == APPENDED.timestamp()
        assert b"$Work" in told
        done(client.close)
        done(client.unsubscribe, "Later")
        assert b"Later" not in b"".join(each or b"" for each in client.lsub()[1])
        done(client.delete, "Later")
        assert client.select("Later")[0] == "NO"


def test_imap_finds_chinese_text_and_moves_what_it_found(office: Server, alice: Person, bob: Person) -> None:
    """SEARCH decodes header and body, gb18030 too (RFC 3501 section 6.4.4)."""
    send(office, alice, bob, "text", "Chinese", "gb18030")
    with imap(office, bob) as client:
        done(client.select)
        for key, words, uids in (("SUBJECT", MEETING, b"2"), ("BODY", "合同", b"2 3")):
            client.literal = words.encode()  # type: ignore[assignment]  # typeshed knows of None only
            assert done(client.uid, "SEARCH", "CHARSET", "UTF-8", key) == [uids]
        done(client.create, FOLDER)
        done(client.uid, "MOVE", "2", FOLDER)
        assert done(client.uid, "SEARCH", "ALL") == [b"1 3"]
    assert [delivered(served).content for served in by_imap(office, bob, FOLDER)] == [CONTENTS["Chinese"]]
    assert [name_of(served) for served in by_pop3(office, bob)] == ["text", "gb18030"]


def test_imap_idle_hears_of_a_delivery(office: Server, alice: Person, bob: Person) -> None:
    """imaplib has no IDLE before Python 3.14: programs write it as lines."""
    with imap(office, bob) as client:
        done(client.select)
        client.send(b"i1 IDLE\r\n")
        assert client.readline().startswith(b"+ ")
        send(office, alice, bob, "text")
        assert client.readline() == b"* 1 EXISTS\r\n"
        client.send(b"DONE\r\n")
        assert any(line.startswith(b"i1 OK ") for line in iter(client.readline, b""))
        assert done(client.uid, "SEARCH", "ALL") == [b"1"]


def done(command: Callable[..., tuple[str, list[Any]]], *arguments: object) -> list[Any]:
    """It must succeed; what the server told."""
    kind, told = command(*arguments)
    assert kind == "OK", told
    return told


@pytest.mark.parametrize(
    "connect",
    [
        lambda server, trust: smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=trust),
        lambda server, trust: poplib.POP3_SSL("localhost", server.ports["pop3s"], context=trust),
        lambda server, trust: imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=trust),
    ],
    ids=["smtplib", "poplib", "imaplib"],
)
def test_who_does_not_know_the_ca_trusts_nobody(office: Server, connect: Callable[..., object]) -> None:
    """That the others verify the certificate shows only because this fails."""
    with pytest.raises(ssl.SSLCertVerificationError):
        connect(office, ssl.create_default_context())


def test_each_recipient_gets_the_message_once(office: Server, alice: Person, bob: Person, carol: Person) -> None:
    with submission(office, alice) as client:
        client.sendmail(alice.address, [carol.address, bob.address, bob.address], CONTENTS["text"])
    assert [len(by_imap(office, each)) for each in (carol, bob)] == [1, 1]
