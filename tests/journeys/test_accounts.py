"""Accounts and domains that an administrator adds while the server runs."""

import json
import smtplib
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.journeys.administrator import add, mailhost
from tests.journeys.contents import ALICE, CONTENTS, delivered
from tests.journeys.readers import Person, by_imap, imap, pop3
from tests.journeys.writers import submissions
from tests.service import END_SECONDS, Server, serving

pytestmark = pytest.mark.service
MANY = 1_000


def test_an_account_is_there_at_once_even_for_who_was_just_refused(tmp_path: Path, on_each: Sequence[str]) -> None:
    """The server has just learned that there is nobody of this name; a hint makes it look again."""
    carol = Person("carol@example.org", "carols-secret")
    of_carol = CONTENTS["dots"].replace(ALICE.encode(), carol.address.encode())
    with serving(tmp_path / "data", *on_each) as server, smtp(server) as client:
        assert asked_for(client, carol)[0] == 550
        refuse(server, carol)
        add(server, carol)
        assert asked_for(client, carol)[0] == 250
        assert client.data(CONTENTS["text"])[0] == 250
        with submissions(server, carol) as hers:
            hers.sendmail(carol.address, [carol.address], of_carol)
        with pop3(server, carol) as drop:
            assert drop.stat()[0] == 2
        assert [delivered(served).content for served in by_imap(server, carol)] == [CONTENTS["text"], of_carol]


def test_a_domain_is_there_at_once(tmp_path: Path) -> None:
    dora = Person("dora@second.example", "doras-secret")
    with serving(tmp_path / "data") as server, smtp(server) as client:
        assert asked_for(client, dora)[0] == 550
        mailhost(server, "domain", "add", "second.example")
        add(server, dora)
        assert asked_for(client, dora)[0] == 250
        assert mailhost(server, "domain", "list").split() == ["example.org", "second.example"]


def test_a_thousand_accounts_from_lines(tmp_path: Path) -> None:
    people = [Person(f"member{number}@example.org", f"secret-{number}") for number in range(MANY)]
    with serving(tmp_path / "data", 'login.argon2_memory="64KiB"') as server:
        add(server, *people)
        listed = {each["address"] for each in json.loads(mailhost(server, "user", "list", "--json"))}
        assert {each.address for each in people} <= listed
        for each in (people[0], people[-1]):
            with imap(server, each) as client:
                names = [str(line).rpartition(" ")[2].strip("\"'") for line in client.list()[1]]
                assert names == ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]


def test_lines_that_are_wrong_are_named_and_the_others_added(office: Server) -> None:
    given = "taken@example.org first\ntaken@example.org second\nno-address third\nfree@example.org fourth\n"
    said = mailhost(office, "user", "add", "--lines", given=given, code=65)
    assert said == "2 added, 2 not\n"
    for name, password in (("taken", "first"), ("free", "fourth")):
        with imap(office, Person(f"{name}@example.org", password)) as client:
            assert client.select()[0] == "OK"


def refuse(server: Server, person: Person) -> None:
    with (
        smtplib.SMTP_SSL("localhost", server.ports["submissions"], context=server.tls(), timeout=END_SECONDS) as client,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        client.login(person.address, person.password)


def smtp(server: Server) -> smtplib.SMTP:
    return smtplib.SMTP("localhost", server.ports["smtp"], timeout=END_SECONDS)


def asked_for(client: smtplib.SMTP, person: Person) -> tuple[int, bytes]:
    client.ehlo_or_helo_if_needed()
    client.rset()
    client.mail("load@client.example")
    return client.rcpt(person.address)
