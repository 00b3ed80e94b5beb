"""Clients that work as fast as they can while their server dies and comes back, and note what they were promised."""

import hashlib
import imaplib
import poplib
import random
import re
import smtplib
import threading
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.journeys.contents import delivered, subject_of
from tests.journeys.readers import Person, imap, pop3, retrieved
from tests.service import END_SECONDS, Server

LOST = (OSError, EOFError, smtplib.SMTPException, poplib.error_proto, imaplib.IMAP4.abort)
"""What clients raise when their server is gone, or says goodbye; while it lives it is a fault."""
SMALL, LARGE = (100, 8_000), (70_000, 200_000)
"""Octets: rows of the database, and files."""
ONE_IN_LARGE = 8


KEEPER = "keeper0@example.org"
"""Who submits: a login writes as itself only, in the header too."""


def message(name: str) -> bytes:
    """The content that belongs to a name: `writer-number-size` says all of it, so that it can be compared whole."""
    size = int(name.rpartition("-")[2])
    line = b"." + hashlib.sha256(name.encode()).hexdigest().encode() + b"\r\n"
    head = f"From: {KEEPER}\r\nSubject: {name}\r\nDate: Sat, 21 Nov 2026 10:00:00 +0800\r\n"
    head += f"Message-ID: <{name}@client.example>\r\n\r\n"
    return head.encode() + line * (size // len(line)) + b"end\r\n"


def fresh_size(chance: random.Random) -> int:
    return chance.randrange(*(LARGE if chance.randrange(ONE_IN_LARGE) == 0 else SMALL))


@dataclass
class Promises:
    """What the server has acknowledged; what was asked for and never answered may have happened or not."""

    recipients: dict[str, tuple[Person, ...]] = field(default_factory=dict)
    """Every message that SMTP was given, to whom."""
    accepted: set[str] = field(default_factory=set)
    appended: dict[str, bool] = field(default_factory=dict)
    """Every message that IMAP was given: whether it said OK."""
    deleting: dict[Person, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Messages that somebody wanted gone."""
    deleted: dict[Person, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Those of them of which the server said that they are."""
    flagged: set[int] = field(default_factory=set)
    uids: dict[tuple[str, str], str] = field(default_factory=dict)
    """Which message a UID (or unique-id) of somebody's INBOX has named."""

    def names(self, person: Person, uid: str, name: str) -> None:
        """No UID ever names two messages."""
        before = self.uids.setdefault((person.address, uid), name)
        assert before == name, f"{uid} of {person.address} was {before}, and is {name}"


class Scene:
    """The server as it is now, and everybody who works with it."""

    def __init__(self) -> None:
        self.promises = Promises()
        self.over = threading.Event()
        self.faults: list[BaseException] = []
        self._changed = threading.Condition()
        self._server: Server | None = None
        self._ended: set[int] = set()
        self._done = 0

    def begin(self, server: Server) -> None:
        with self._changed:
            self._server = server
            self._changed.notify_all()

    def about_to_end(self, server: Server) -> None:
        """Whoever loses a connection from now on has no cause to complain."""
        with self._changed:
            self._server = None
            self._ended.add(server.process.pid)

    def stop(self) -> None:
        self.over.set()
        with self._changed:
            self._changed.notify_all()

    def did(self) -> None:
        """Something was acknowledged."""
        with self._changed:
            self._done += 1
            self._changed.notify_all()

    def failed(self, fault: BaseException) -> None:
        with self._changed:
            self.faults.append(fault)
            self._changed.notify_all()

    def wait_for(self, more: int) -> None:
        """Until so many further things were acknowledged."""
        with self._changed:
            target = self._done + more
            assert self._changed.wait_for(lambda: self._done >= target or self.faults, 4 * END_SECONDS), "nothing moves"
        self.check()

    def check(self) -> None:
        if self.faults:
            raise ExceptionGroup("clients saw", [fault for fault in self.faults if isinstance(fault, Exception)])

    def server(self) -> Server | None:
        """The one that serves, as soon as there is one; None when it is over."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._server or self.over.is_set(), 4 * END_SECONDS)
            return None if self.over.is_set() else self._server

    def was_ended(self, server: Server) -> bool:
        with self._changed:
            return server.process.pid in self._ended


class Client(threading.Thread):
    """Works in sessions, each until its server dies."""

    def __init__(self, scene: Scene, name: str, seed: int) -> None:
        super().__init__(name=name, daemon=True)
        self.scene = scene
        self.promises = scene.promises
        self.chance = random.Random(f"{name}{seed}")

    def run(self) -> None:
        while server := self.scene.server():
            try:
                self.session(server)
            except LOST as lost:
                if not self.scene.was_ended(server):
                    self.scene.failed(AssertionError(f"{self.name} lost a server that lives: {lost!r}"))
                    return
            except Exception as fault:
                self.scene.failed(fault)
                return

    def session(self, server: Server) -> None:
        raise NotImplementedError


class Sender(Client):
    """SMTP: numbered messages to some of the recipients, the first of whom never deletes."""

    def __init__(self, scene: Scene, name: str, seed: int, keepers: Sequence[Person], others: Sequence[Person]) -> None:
        super().__init__(scene, name, seed)
        self._keepers, self._others = keepers, others
        self.address = "load@client.example"
        self._number = 0

    def session(self, server: Server) -> None:
        with self.connected(server) as client:
            while not self.scene.over.is_set():
                self._send(client)
                self.scene.did()

    @contextmanager
    def connected(self, server: Server) -> Iterator[smtplib.SMTP]:
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"], timeout=END_SECONDS) as client:
            client.ehlo()
            yield client

    def _send(self, client: smtplib.SMTP) -> None:
        self._number += 1
        name = f"{self.name}-{self._number}-{fresh_size(self.chance)}"
        first = self.chance.choice(self._keepers)
        rest = [each for each in (*self._keepers, *self._others) if each is not first]
        recipients = (first, *self.chance.sample(rest, self.chance.randrange(3)))
        self.promises.recipients[name] = recipients
        expect(client.mail(self.address), 250)
        for each in recipients:
            expect(client.rcpt(each.address), 250)
        expect(client.data(message(name)), 250)
        self.promises.accepted.add(name)


class SubmittingSender(Sender):
    """The same within TLS, by a user who has logged in."""

    def __init__(self, scene: Scene, name: str, seed: int, keepers: Sequence[Person], others: Sequence[Person]) -> None:
        super().__init__(scene, name, seed, keepers, others)
        self._user = keepers[0]
        self.address = self._user.address  # it may send as no other

    @contextmanager
    def connected(self, server: Server) -> Iterator[smtplib.SMTP]:
        context, port = server.tls(), server.ports["submissions"]
        with smtplib.SMTP_SSL("localhost", port, timeout=END_SECONDS, context=context) as client:
            client.login(self._user.address, self._user.password)
            yield client


def expect(reply: tuple[int, bytes], code: int) -> None:
    """421 is the server's goodbye (RFC 5321 section 3.8), -1 what smtplib says where not even that came whole."""
    if reply[0] in (421, -1):
        raise EOFError(reply)
    assert reply[0] == code, reply


class Fetcher(Client):
    """POP3: takes some messages and deletes them; until QUIT is answered they may be there still, all of them or none."""

    MOST = 5

    def __init__(self, scene: Scene, name: str, seed: int, person: Person) -> None:
        super().__init__(scene, name, seed)
        self._person = person

    def session(self, server: Server) -> None:
        while not self.scene.over.is_set():
            taken = self._take(server)
            self.promises.deleted[self._person] |= taken
            if taken:
                self.scene.did()

    def _take(self, server: Server) -> set[str]:
        with pop3(server, self._person) as client:
            unique = [line.split()[1].decode() for line in client.uidl()[1]]
            taken = set()
            for number, uid in list(enumerate(unique, 1))[: self.MOST]:
                content = delivered(retrieved(client, number)).content
                name = subject_of(content)
                assert content == message(name)
                self.promises.names(self._person, uid, name)
                client.dele(number)
                taken.add(name)
            self.promises.deleting[self._person] |= taken
        return taken


class Editor(Client):
    """IMAP: appends, flags and expunges in an INBOX that mail also comes to."""

    def __init__(self, scene: Scene, name: str, seed: int, person: Person) -> None:
        super().__init__(scene, name, seed)
        self._person = person
        self._number = 0
        self._here: dict[int, str] = {}

    def session(self, server: Server) -> None:
        with imap(server, self._person) as client:
            expect_ok(client.select())
            while not self.scene.over.is_set():
                self._look(client)
                self.chance.choice([self._append, self._flag, self._expunge])(client)
                self.scene.did()

    def _look(self, client: imaplib.IMAP4) -> None:
        """Learn what is new."""
        found = subjects(client, max(self._here, default=0) + 1)
        for uid, name in found.items():
            self.promises.names(self._person, str(uid), name)
            if name not in self.promises.deleting[self._person]:
                self._here[uid] = name

    def _append(self, client: imaplib.IMAP4) -> None:
        self._number += 1
        name = f"{self.name}-{self._number}-{fresh_size(self.chance)}"
        self.promises.appended[name] = False
        expect_ok(client.append("INBOX", "", "", message(name)))
        self.promises.appended[name] = True

    def _flag(self, client: imaplib.IMAP4) -> None:
        if self._here:
            uid = self.chance.choice(list(self._here))
            expect_ok(client.uid("STORE", str(uid), "+FLAGS", "(\\Flagged)"))
            self.promises.flagged.add(uid)

    def _expunge(self, client: imaplib.IMAP4) -> None:
        chosen = self.chance.sample(list(self._here), min(len(self._here), self.chance.randrange(1, 4)))
        names = {self._here.pop(uid) for uid in chosen}
        if chosen:
            self.promises.deleting[self._person] |= names
            expect_ok(client.uid("STORE", ",".join(map(str, chosen)), "+FLAGS.SILENT", "(\\Deleted)"))
            expect_ok(client.expunge())
            self.promises.deleted[self._person] |= names


class Observer(Client):
    """IMAP: looks which UID names which message in the INBOX of somebody who never deletes."""

    def __init__(self, scene: Scene, name: str, seed: int, people: Sequence[Person]) -> None:
        super().__init__(scene, name, seed)
        self._seen = dict.fromkeys(people, 0)

    def session(self, server: Server) -> None:
        while not self.scene.over.is_set():
            for person, last in self._seen.items():
                with imap(server, person) as client:
                    expect_ok(client.select(readonly=True))
                    found = subjects(client, last + 1)
                for uid, name in found.items():
                    self.promises.names(person, str(uid), name)
                self._seen[person] = max([last, *found])


def subjects(client: imaplib.IMAP4, first: int) -> dict[int, str]:
    """UID and Subject of the messages from a UID on."""
    answer = client.uid("FETCH", f"{first}:*", "(UID BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    expect_ok(answer)
    found = {}
    for item in answer[1]:
        if isinstance(item, tuple):
            uid = re.search(rb"UID (\d+)", item[0])
            assert uid is not None, item
            found[int(uid[1])] = subject_of(item[1])
    return {uid: name for uid, name in found.items() if uid >= first}


def expect_ok(answer: tuple[str, object]) -> None:
    assert answer[0] == "OK", answer
