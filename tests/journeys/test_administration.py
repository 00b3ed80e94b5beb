"""What an administrator changes is so at once on the running server; and each command ends as its caller expects."""

import imaplib
import json
import poplib
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.journeys.administrator import add, mailhost
from tests.journeys.contents import ALICE, CONTENTS, delivered
from tests.journeys.readers import Person, by_imap, imap
from tests.journeys.terminal import terminal
from tests.journeys.test_accounts import asked_for, refuse, smtp
from tests.journeys.writers import submissions
from tests.service import END_SECONDS, TOP, Server, serving

pytestmark = pytest.mark.service
MESSAGE = b"Subject: from cron\n\nThe backup is done.\n"
BIG = 3_000
"""Messages: enough to be in the midst of them."""


def handed_over(server: Server, *arguments: str, content: bytes = MESSAGE, code: int = 0) -> str:
    """`mailhost deliver`; answers with what it said on standard error."""
    command = [sys.executable, "-m", "mailhost", "deliver", "--config", str(server.facts["config"]), *arguments]
    ended = subprocess.run(command, input=content, capture_output=True, cwd=TOP, timeout=END_SECONDS, check=False)
    assert ended.returncode == code, ended
    assert ended.stdout == b""
    return ended.stderr.decode()


@contextmanager
def session(server: Server, person: Person, *, idle: bool = False) -> Iterator[imaplib.IMAP4]:
    """One that the server may end: there is no LOGOUT."""
    client = imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=END_SECONDS)
    try:
        client.login(person.address, person.password)
        client.select()
        if idle:
            client.send(b"x IDLE\r\n")
            assert client.readline().startswith(b"+")
        yield client
    finally:
        client.shutdown()


def ends_with_bye(client: imaplib.IMAP4) -> None:
    """The server has said why, and hung up."""
    lines = b"".join(iter(client.readline, b""))
    assert b"* BYE" in lines, lines


def test_an_alias_is_there_at_once_and_gone_at_once(office: Server, bob: Person, carol: Person) -> None:
    sales = Person(f"sales-{bob.address}", "")
    with smtp(office) as client:
        assert asked_for(client, sales)[0] == 550
        mailhost(office, "alias", "add", sales.address, bob.address)
        assert asked_for(client, sales)[0] == 250
        assert client.data(MESSAGE.replace(b"\n", b"\r\n"))[0] == 250
        mailhost(office, "alias", "add", sales.address, carol.address, bob.address)
        assert asked_for(client, sales)[0] == 250
        assert client.data(MESSAGE.replace(b"\n", b"\r\n"))[0] == 250
        mailhost(office, "alias", "delete", sales.address)
        assert asked_for(client, sales)[0] == 550
    assert [len(by_imap(office, each)) for each in (bob, carol)] == [2, 1]


def test_a_disabled_account_s_sessions_end_and_its_mail_is_taken(office: Server, bob: Person) -> None:
    with (
        session(office, bob, idle=True) as idle,
        session(office, bob) as resting,
        closing(drop(office, bob)) as fetching,
    ):
        mailhost(office, "user", "disable", bob.address)
        ends_with_bye(idle)
        ends_with_bye(resting)
        with pytest.raises((poplib.error_proto, OSError)):
            fetching.noop()
        refuse(office, bob)
        with smtp(office) as client:
            assert asked_for(client, bob)[0] == 250
            assert client.data(MESSAGE.replace(b"\n", b"\r\n"))[0] == 250
        listed = {each["address"]: each for each in json.loads(mailhost(office, "user", "list", "--json"))}
        assert (listed[bob.address]["disabled"], listed[bob.address]["messages"]) == (True, 1)
        assert f"{bob.address}  disabled\n" in mailhost(office, "user", "list")
        mailhost(office, "user", "enable", bob.address)
        assert len(by_imap(office, bob)) == 1


def drop(server: Server, person: Person) -> poplib.POP3_SSL:
    client = poplib.POP3_SSL("localhost", server.ports["pop3s"], timeout=END_SECONDS, context=server.tls())
    client.user(person.address)
    client.pass_(person.password)
    return client


def test_a_new_password_ends_the_sessions_of_the_old_one(office: Server, bob: Person) -> None:
    with session(office, bob) as client:
        said = mailhost(office, "user", "passwd", bob.address, "--password-stdin", given="another\n")
        assert said == f"{bob.address}: the new password counts from now on\n"
        ends_with_bye(client)
    refuse(office, bob)
    with imap(office, Person(bob.address, "another")) as client:
        assert client.select()[0] == "OK"


def test_a_deleted_account_is_gone_at_once_and_its_name_is_free(tmp_path: Path, on_each: Sequence[str]) -> None:
    carol = Person("carol@example.org", "carols-secret")
    with serving(tmp_path / "data", *on_each) as server:
        add(server, carol)
        alice = Person(server.addresses[0], server.password)
        to = CONTENTS["dots"].replace(ALICE.encode(), alice.address.encode())
        with submissions(server, alice) as hers, smtp(server) as known:
            hers.sendmail(alice.address, [carol.address, alice.address], to)
            assert asked_for(known, carol)[0] == 250
            with session(server, carol, idle=True) as idle, closing(drop(server, carol)) as fetching:
                said = mailhost(server, "user", "delete", carol.address, "--yes")
                assert said == "carol@example.org: deleted with 1 message\n"
                ends_with_bye(idle)
                with pytest.raises((poplib.error_proto, OSError)):
                    fetching.noop()
            refuse(server, carol)
            assert asked_for(known, carol)[0] == 550
            mailhost(server, "user", "delete", carol.address, "--yes", code=67)
            add(server, carol)
            assert asked_for(known, carol)[0] == 250
        assert by_imap(server, carol) == []
        assert delivered(by_imap(server, alice)[-1]).content == to
        assert mailhost(server, "audit").startswith("no problem found\n")
        told = mailhost(server, "trace", alice.address, carol.address)
        assert "  carol@example.org: stored in a mailbox that is no more" in told


def test_a_deletion_that_was_killed_is_finished_by_the_next(tmp_path: Path) -> None:
    """Beside a running server, which goes on: the account is away from it, and its store is whole."""
    carol, bob = Person("carol@example.org", "carols-secret"), Person("bob@example.org", "")
    with serving(tmp_path / "data") as server, smtp(server) as client:
        add(server, carol)
        filled(server, carol)
        command = [sys.executable, "-m", "mailhost", "user", "delete", carol.address, "--yes", "--config"]
        with subprocess.Popen([*command, str(server.facts["config"])], cwd=TOP) as deleting:
            while not 0 < placed(server, carol) < BIG:
                assert deleting.poll() is None
            deleting.send_signal(signal.SIGKILL)
        assert deleting.returncode == -signal.SIGKILL
        assert mailhost(server, "audit").startswith("no problem found\n")
        assert "carol@example.org  being deleted" in mailhost(server, "user", "list")
        refuse(server, carol)
        assert asked_for(client, carol)[0] == 550
        assert asked_for(client, bob)[0] == 250
        mailhost(server, "user", "add", carol.address, "--password-stdin", given="x\n", code=65)
        mailhost(server, "user", "enable", carol.address, code=65)
        mailhost(server, "user", "delete", carol.address, "--yes")
        assert placed(server, carol) == 0
        assert mailhost(server, "audit").startswith("no problem found\n")
        add(server, carol)
        assert by_imap(server, carol) == []


def filled(server: Server, person: Person) -> None:
    """By COPY of all to themselves, which takes no time."""
    handed_over(server, person.address)
    with imap(server, person) as client:
        while int(client.select()[1][0] or 0) < BIG:
            assert client.copy("1:*", "INBOX")[0] == "OK"


def placed(server: Server, person: Person) -> int:
    with closing(sqlite3.connect(server.data / "mailhost.db")) as database:
        found = database.execute(
            "SELECT count(*) FROM mailbox_message m JOIN account a ON a.id = m.account_id WHERE a.local_part = ?",
            (person.address.partition("@")[0],),
        )
        return int(found.fetchone()[0])


def test_the_postmaster_stays_until_he_is_moved(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, smtp(server) as client:
        alice, bob = server.addresses
        mailhost(server, "user", "delete", alice, "--yes", code=65)
        mailhost(server, "alias", "add", "postmaster@example.org", bob)
        said = mailhost(server, "user", "delete", alice, "--yes")
        assert said == f"{alice}: deleted with 1 message; no longer named by postmaster@example.org\n"
        client.ehlo_or_helo_if_needed()
        client.mail("")
        assert client.rcpt("postmaster")[0] == 250


def test_a_domain_goes_with_its_accounts(tmp_path: Path) -> None:
    dora = Person("dora@second.example", "doras-secret")
    with serving(tmp_path / "data") as server, smtp(server) as client:
        said = mailhost(server, "user", "add", dora.address, "--password-stdin", "--add-domain", given=dora.password)
        assert said == "1 added\n"
        assert asked_for(client, dora)[0] == 250
        mailhost(server, "domain", "delete", "second.example", code=65)
        mailhost(server, "domain", "delete", "second.example", "--with-accounts", code=64)
        with session(server, dora) as hers:
            said = mailhost(server, "domain", "delete", "second.example", "--with-accounts", "--yes")
            assert said == "dora@second.example: deleted with 0 messages\nsecond.example: deleted\n"
            ends_with_bye(hers)
        assert asked_for(client, dora)[0] == 550
        assert mailhost(server, "domain", "list") == "example.org\n"
        assert json.loads(mailhost(server, "domain", "list", "--json"))[0]["accounts"] == 2


def test_mailboxes_are_listed_as_imap_counts_them(office: Server, bob: Person) -> None:
    handed_over(office, bob.address)
    with imap(office, bob) as client:
        assert client.create("Bücher".encode("utf-7").replace(b"+", b"&").decode())[0] == "OK"
        status = client.status("INBOX", "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)")[1][0].decode()
    told = {name: int(number) for name, number in re.findall(r"([A-Z]+) (\d+)", status.partition("(")[2])}
    listed = {each["name"]: each for each in json.loads(mailhost(office, "mailbox", "list", bob.address, "--json"))}
    inbox = listed["INBOX"]
    assert told == {
        "MESSAGES": inbox["messages"],
        "UNSEEN": inbox["unseen"],
        "UIDNEXT": inbox["uid_next"],
        "UIDVALIDITY": inbox["uid_validity"],
    }
    assert (inbox["messages"], inbox["octets"]) == (1, len(by_imap(office, bob)[0]))
    assert listed["Trash"]["special_use"] == "\\Trash"
    lines = mailhost(office, "mailbox", "list", bob.address).splitlines()
    assert lines[0].split() == ["MESSAGES", "UNSEEN", "OCTETS", "UIDVALIDITY", "UIDNEXT", "USE", "NAME"]
    assert lines[-1].endswith("  Bücher") or any(line.endswith("  Bücher") for line in lines)
    assert max(map(len, lines)) <= 80


def test_a_message_that_is_handed_over_is_heard_of_at_once(office: Server, bob: Person, carol: Person) -> None:
    with session(office, bob, idle=True) as idle:
        handed_over(office, "-f", "cron@client.example", bob.address, carol.address)
        assert idle.readline().rstrip() == b"* 1 EXISTS"
    for each in (bob, carol):
        (whole,) = by_imap(office, each)
        assert whole.startswith(b"Return-Path: <cron@client.example>\r\nDelivered-To: " + each.address.encode())
        assert whole.endswith(b"\r\nSubject: from cron\r\n\r\nThe backup is done.\r\n")


def test_deliver_ends_as_procmail_and_fetchmail_expect(office: Server, bob: Person) -> None:
    said = handed_over(office, bob.address, "nobody@example.org", code=67)
    assert said == "mailhost: nobody of this name is here: nobody@example.org; nothing was delivered\n"
    handed_over(office, bob.address, content=b"Subject: x\n\n\0", code=65)
    handed_over(office, bob.address, content=b"", code=65)
    handed_over(office, "no address@", content=b"x", code=65)
    handed_over(office, code=64)
    assert by_imap(office, bob) == []
    handed_over(office, "-f", "root", bob.address.partition("@")[0])  # both are this server's
    assert "without a way back" in handed_over(office, "-f", "a b@client.example", bob.address)
    local, odd = by_imap(office, bob)
    assert local.startswith(b"Return-Path: <root@mail.example.org>\r\n")
    assert odd.startswith(b"Return-Path: <>\r\n")


def test_deliver_asks_to_come_again_when_something_is_wrong_with_us(tmp_path: Path) -> None:
    settings = tmp_path / "mailhost.toml"
    settings.write_text('[smtp]\nprt = 1\n[server]\ndata = "data"\n')
    (tmp_path / "data").write_text("in the way")
    for text in (settings.read_text(), '[server]\ndata = "data"\n'):
        settings.write_text(text)
        ended = subprocess.run(
            [sys.executable, "-m", "mailhost", "deliver", "a@example.org", "--config", str(settings)],
            input=MESSAGE,
            capture_output=True,
            cwd=TOP,
            timeout=END_SECONDS,
            check=False,
        )
        assert ended.returncode == 75
        assert len(ended.stderr.splitlines()) == 1


def test_a_person_at_a_terminal_is_asked(office: Server) -> None:
    """For the password twice, and whether he is sure."""
    typist = Person("typist@example.org", "not-shown")
    command = [sys.executable, "-m", "mailhost", "user"]
    where = ["--config", str(office.facts["config"])]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(TOP), "LC_ALL": "C.UTF-8"}
    with terminal([*command, "add", typist.address, *where], environment) as screen:
        screen.until("Password for typist@example.org: ")
        screen.type("mistyped\n")
        screen.until("Once more: ")
        screen.type("not-shown\n")
        screen.until("Password for typist@example.org: ")
        screen.type("not-shown\n")
        screen.until("Once more: ")
        screen.type("not-shown\n")
        shown = screen.until_it_leaves()
        assert b"1 added" in shown
        assert b"not-shown" not in shown
    handed_over(office, typist.address)
    with terminal([*command, "delete", typist.address, *where], environment) as screen:
        screen.until("Delete typist@example.org with 1 message (")
        screen.type("n\n")
        screen.until_it_leaves()
    assert len(by_imap(office, typist)) == 1
    mailhost(office, "user", "delete", typist.address, code=64)  # nobody to ask
    with terminal([*command, "delete", typist.address, *where], environment) as screen:
        screen.until("[y/N]")
        screen.type("y\n")
        assert b"deleted with 1 message" in screen.until_it_leaves()
    refuse(office, typist)


def test_nobody_types_a_password_in_vain(office: Server) -> None:
    command = [sys.executable, "-m", "mailhost", "user", "add", "x@exmaple.org"]
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(TOP), "LC_ALL": "C.UTF-8"}
    with terminal([*command, "--config", str(office.facts["config"])], environment) as screen:
        shown = screen.until_it_leaves()
    assert b"did you mean example.org?" in shown
    assert b"Password" not in shown


def test_everything_works_on_a_stopped_server(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        assert server.end() == 0
        mailhost(server, "alias", "add", "sales@example.org", *server.addresses)
        handed_over(server, "sales@example.org")
        mailhost(server, "user", "disable", server.addresses[1])
        mailhost(server, "user", "delete", server.addresses[1], "--yes")
        listed = json.loads(mailhost(server, "user", "list", "--json"))
        assert [(each["address"], each["messages"]) for each in listed] == [(server.addresses[0], 2)]
        assert mailhost(server, "alias", "list").splitlines() == [
            f"postmaster@example.org  {server.addresses[0]}",
            f"sales@example.org       {server.addresses[0]}",
        ]
        assert mailhost(server, "audit").startswith("no problem found\n")
