"""The people of a load, what they do all at once, and what must be true of their mail afterwards."""

import asyncio
import gc
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from mailhost.administration.opening import open_database
from mailhost.config.load import load
from mailhost.queue import entries
from mailhost.queue.values import State
from tests.journeys.administrator import mailhost
from tests.journeys.contents import delivered, subject_of
from tests.journeys.load import (
    KEEPER,
    Client,
    Editor,
    Fetcher,
    Observer,
    Promises,
    Scene,
    Sender,
    SubmittingSender,
    message,
)
from tests.journeys.readers import Person, by_pop3, by_uid, imap
from tests.service import END_SECONDS, Server, serving

SEED = 20_261_121
KEEPERS = [Person(KEEPER.replace("0", str(number)), f"keeps-{number}") for number in range(3)]
FETCHES = Person("fetches@example.org", "by-pop3")
EDITS = Person("edits@example.org", "by-imap")
WELCOMES = 2
"""Messages that quickstart has delivered to the sample accounts."""
PEOPLE = (*KEEPERS, FETCHES, EDITS)


@contextmanager
def crowd() -> Iterator[Scene]:
    """Everybody at work, until the block ends."""
    scene, others = Scene(), [FETCHES, EDITS]
    clients: list[Client] = [
        *(Sender(scene, f"sender{number}", SEED, KEEPERS, others) for number in range(4)),
        SubmittingSender(scene, "submitter", SEED, KEEPERS, others),
        Fetcher(scene, "fetcher", SEED, FETCHES),
        Editor(scene, "editor", SEED, EDITS),
        Observer(scene, "observer", SEED, KEEPERS),
    ]
    for client in clients:
        client.start()
    try:
        yield scene
    finally:
        scene.stop()
        for client in clients:
            client.join(2 * END_SECONDS)
        gc.collect()  # what they left open is reported here, and not in the next test
    assert not [client.name for client in clients if client.is_alive()]
    scene.check()


def check_after(data: Path, settings: Sequence[str], promises: Promises) -> None:
    """Start once more on the same data, and look at all of it: by the protocols, in the ledger, and by the audit."""
    with serving(data, *settings) as server:
        recipients = check(server, promises)
        assert server.end() == 0
    assert asyncio.run(states_of(server)) == {State.STORED: WELCOMES + recipients}
    assert json.loads(mailhost(server, "audit", "--json"))["findings"] == []


def check(server: Server, promises: Promises) -> int:
    """Answers with how many recipients the server has taken responsibility for: the ledger must have as many."""
    inboxes = {person: whole(server, person) for person in PEOPLE}
    for person, inbox in inboxes.items():
        check_uids(promises, person, inbox)
        check_presence(promises, person, Counter(inbox.values()))
    recipients = check_all_or_none(promises, {person: set(inbox.values()) for person, inbox in inboxes.items()})
    check_flags(server, promises, inboxes[EDITS])
    for person in KEEPERS[:1]:
        assert Counter(map(name_of, by_pop3(server, person))) == Counter(inboxes[person].values())
    return recipients


def whole(server: Server, person: Person) -> dict[int, str]:
    """Which UID names which message; each is compared with what was written, octet for octet."""
    return {uid: name_of(served) for uid, served in by_uid(server, person).items()}


def name_of(served: bytes) -> str:
    content = delivered(served).content if served.startswith(b"Return-Path:") else served
    name = subject_of(content)
    assert content == message(name)
    return name


def check_uids(promises: Promises, person: Person, inbox: dict[int, str]) -> None:
    for uid, name in inbox.items():
        promises.names(person, str(uid), name)


def check_presence(promises: Promises, person: Person, found: Counter[str]) -> None:
    """Acknowledged: exactly once. Never acknowledged: at most once. Deleted: never, once the server has said so."""
    sent = {name for name, recipients in promises.recipients.items() if person in recipients}
    given = sent | (set(promises.appended) if person == EDITS else set())
    promised = {name for name in given if name in promises.accepted or promises.appended.get(name)}
    lost = promised - promises.deleting[person] - set(found)
    assert not lost
    assert set(found) <= given
    assert max(found.values(), default=0) <= 1
    assert not promises.deleted[person] & set(found)


def check_all_or_none(promises: Promises, inboxes: dict[Person, set[str]]) -> int:
    """A message is one transaction, however many recipients it has. Answers with the recipients of all that came."""
    count = 0
    for name, recipients in promises.recipients.items():
        have = {name in inboxes[person] for person in recipients if person in KEEPERS}
        assert len(have) == 1, name
        count += len(recipients) * have.pop()
    return count


def check_flags(server: Server, promises: Promises, inbox: dict[int, str]) -> None:
    with imap(server, EDITS) as client:
        client.select(readonly=True)
        flagged = {int(uid) for uid in client.uid("SEARCH", "FLAGGED")[1][0].split()}
    assert promises.flagged & set(inbox) <= flagged


async def states_of(server: Server) -> dict[State, int]:
    async with open_database(load(Path(str(server.facts["config"])))) as database:
        return await database.read(entries.states)
