"""What is in somebody's INBOX, by each protocol: the octets as served, in the order of the mailbox."""

import imaplib
import poplib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from tests.service import END_SECONDS, Server


@dataclass(frozen=True)
class Person:
    address: str
    password: str

    @property
    def in_url(self) -> str:
        """The user name, as a URL wants it."""
        return self.address.replace("@", "%40")


@contextmanager
def pop3(server: Server, person: Person) -> Iterator[poplib.POP3_SSL]:
    client = poplib.POP3_SSL("localhost", server.ports["pop3s"], timeout=END_SECONDS, context=server.tls())
    try:
        client.user(person.address)
        client.pass_(person.password)
        yield client
        client.quit()
    finally:
        client.close()


@contextmanager
def imap(server: Server, person: Person) -> Iterator[imaplib.IMAP4]:
    with imaplib.IMAP4_SSL("localhost", server.ports["imaps"], ssl_context=server.tls(), timeout=END_SECONDS) as client:
        client.login(person.address, person.password)
        yield client


def by_pop3(server: Server, person: Person) -> list[bytes]:
    with pytest.MonkeyPatch.context() as patch, pop3(server, person) as client:
        patch.setattr(poplib, "_MAXLINE", 1 << 20)  # it refuses lines that others may write
        return [retrieved(client, number) for number in range(1, client.stat()[0] + 1)]


def retrieved(client: poplib.POP3, number: int) -> bytes:
    return b"".join(line + b"\r\n" for line in client.retr(number)[1])


def by_imap(server: Server, person: Person, mailbox: str = "INBOX") -> list[bytes]:
    return list(by_uid(server, person, mailbox).values())


def by_uid(server: Server, person: Person, mailbox: str = "INBOX") -> dict[int, bytes]:
    with imap(server, person) as client:
        assert client.select(mailbox, readonly=True)[0] == "OK"
        uids = [int(word) for word in client.uid("SEARCH", "ALL")[1][0].split()]
        return {uid: fetched(client, uid) for uid in uids}


def fetched(client: imaplib.IMAP4, uid: int) -> bytes:
    """Answers with BODY[], and checks that RFC822.SIZE said so."""
    kind, answer = client.uid("FETCH", str(uid), "(RFC822.SIZE BODY.PEEK[])")
    assert kind == "OK"
    told, octets = answer[0]
    size = re.search(rb"RFC822\.SIZE (\d+)", told)
    assert size is not None
    assert int(size[1]) == len(octets)
    return bytes(octets)
