"""Aliases with members elsewhere: one copy for each final address, whatever leads there; and a cycle of aliases ends."""

from dataclasses import replace
from pathlib import Path

import pytest

from mailhost.database.database import Database
from mailhost.delivery.accept import ONE_COPY, Accepted, AcceptRequest, accept
from mailhost.delivery.directory import Directory
from mailhost.delivery.route import RecipientUnknown
from mailhost.delivery.waiting import WaitingDeliveries
from mailhost.events.event import Events
from mailhost.ids import JourneyId, Millis, fresh
from mailhost.message.structure import scan
from mailhost.queue import audit, entries
from mailhost.queue.values import Acceptance, Delivery, State
from mailhost.store.values import Content
from mailhost.users import accounts

from .building import MESSAGE, NOW, inbox, people, store_of

CAROL = "carol@example.com"
Wish = tuple[str, str | None]
"""A recipient, with its NOTIFY."""


async def alias(database: Database, name: str, *targets: str) -> None:
    for target in targets:
        await database.write(accounts.add_alias, name, "example.org", target, NOW)


async def send(database: Database, folder: Path, *wishes: Wish, release_at: Millis | None = None) -> Accepted:
    directory, blob = Directory(database), store_of(database, folder).inline(MESSAGE)
    recipients = [
        replace(await directory.route(*address.rsplit("@", 1)), notify=notify, original=f"rfc822;{address}")
        for address, notify in wishes
    ]
    accepted = Acceptance(
        JourneyId(fresh()), NOW, "192.0.2.1", "client", None, "sender@example.net", blob.id, b"Received: here\r\n", 1
    )
    accepted = replace(accepted, release_at=release_at)
    answer = await database.write(accept, AcceptRequest(accepted, Content(blob, scan(MESSAGE)), tuple(recipients)))
    assert await database.read(audit.ledger) == []
    return answer


def waiting(accepted: Accepted) -> list[Delivery]:
    return [row for row in accepted.deliveries if row.state is State.WAITING]


@pytest.mark.parametrize(
    ("wishes", "kept"),
    [
        ([("all@example.org", None), (CAROL, None)], "rfc822;carol@example.com"),
        ([(CAROL, None), ("all@example.org", None)], "rfc822;carol@example.com"),
        ([("all@example.org", None), ("more@example.org", None)], "rfc822;all@example.org"),
        ([("all@example.org", "NEVER"), ("more@example.org", "FAILURE")], "rfc822;more@example.org"),
        ([(CAROL, "NEVER"), (CAROL, "FAILURE")], "rfc822;carol@example.com"),
        ([("all@example.org", None), ("all@example.org", None)], "rfc822;all@example.org"),
    ],
)
async def test_one_copy_goes_to_an_address_elsewhere(
    database: Database, tmp_path: Path, wishes: list[Wish], kept: str
) -> None:
    """Whoever was named himself keeps his row, with what the sender wants to hear of him; each of the others ends at once, and says why."""
    await people(database, "alice")
    await alias(database, "all", "alice@example.org", CAROL)
    await alias(database, "more", CAROL)
    accepted = await send(database, tmp_path, *wishes)
    (row,) = waiting(accepted)
    assert (row.recipient, row.original, row.destination) == (CAROL, kept, "example.com")
    assert row.notify != "NEVER"
    others = [each for each in accepted.deliveries if each.recipient == CAROL and each is not row]
    assert {(each.state, each.reason) for each in others} == {(State.DISCARDED, ONE_COPY)}
    assert len([each for each in accepted.deliveries if each.parent is None]) == len(wishes)


async def test_other_letters_are_another_address_elsewhere(database: Database, tmp_path: Path) -> None:
    """What a local part means is its own server's business (RFC 5321 section 2.4)."""
    accepted = await send(database, tmp_path, (CAROL, None), ("Carol@example.com", None), ("carol@example.net", None))
    assert len(waiting(accepted)) == 3


async def test_held_mail_makes_one_copy_too(database: Database, tmp_path: Path) -> None:
    """In a mailbox here, of a message that its sender wants to go out later."""
    await people(database, "alice")
    await alias(database, "all", "alice@example.org", CAROL)
    later = Millis(NOW + 60_000)
    accepted = await send(database, tmp_path, ("all@example.org", None), ("alice@example.org", None), release_at=later)
    assert sorted(row.recipient for row in waiting(accepted)) == ["alice@example.org", CAROL]
    stored = WaitingDeliveries(database, store_of(database, tmp_path), Events(), clock=lambda: later)
    assert await stored.deliver_due() == 1
    assert (await inbox(database, "alice")).messages == 1
    assert await database.read(audit.ledger) == []


async def test_an_alias_of_members_elsewhere_alone(database: Database, tmp_path: Path) -> None:
    """A plain forwarding: what the sender wants to hear is passed on with it (RFC 3461 section 5.2.7)."""
    await alias_domain(database)
    await alias(database, "fwd", CAROL)
    accepted = await send(database, tmp_path, ("fwd@example.org", "SUCCESS,FAILURE"))
    parent, row = accepted.deliveries
    assert (parent.state, parent.recipient) == (State.EXPANDED, "fwd@example.org")
    assert (row.state, row.notify, row.original) == (State.WAITING, "SUCCESS,FAILURE", "rfc822;fwd@example.org")


async def test_a_group_of_many_is_told_of_once(database: Database, tmp_path: Path) -> None:
    """As expanded; its members report no success, but their failures (RFC 3461 section 5.2.7)."""
    await alias_domain(database)
    await alias(database, "all", CAROL, "dave@example.com", "eve@example.net")
    accepted = await send(database, tmp_path, ("all@example.org", "SUCCESS,FAILURE"))
    assert [row.notify for row in waiting(accepted)] == ["FAILURE"] * 3
    assert accepted.deliveries[0].notify == "SUCCESS,FAILURE"


async def test_a_cycle_of_aliases_ends(database: Database, tmp_path: Path) -> None:
    """However it came into the table: a chain that leads back is followed once, and who stands beside it has his copy."""
    await people(database, "alice")
    await alias(database, "a", "b@example.org")
    await alias(database, "b", "c@example.org", CAROL)
    await alias(database, "c", "a@example.org", "alice@example.org")
    for name in "abc":
        accepted = await send(database, tmp_path, (f"{name}@example.org", None))
        assert sorted(row.recipient for row in accepted.deliveries if row.parent) == ["alice@example.org", CAROL]
    assert await database.read(entries.states) == {State.EXPANDED: 3, State.STORED: 3, State.WAITING: 3}


async def test_a_cycle_of_nobody_is_nobody(database: Database) -> None:
    await alias_domain(database)
    await alias(database, "a", "b@example.org")
    await alias(database, "b", "a@example.org")
    await alias(database, "self", "self@example.org")
    for name in ("a", "b", "self"):
        with pytest.raises(RecipientUnknown):
            await Directory(database).route(name, "example.org")


async def alias_domain(database: Database) -> None:
    """The domain is there with its first account."""
    await people(database, "alice")
