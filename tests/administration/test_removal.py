"""A deleted account is gone with all that was its own, and nothing else is; interrupted, it is finished by the same command."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from mailhost.administration import removal
from mailhost.administration.accounts import create, list_accounts
from mailhost.administration.audit import audit
from mailhost.administration.removal import Deleted, delete_account, delete_domain
from mailhost.administration.sweeper import Sweeper
from mailhost.conversation.presence import Presence
from mailhost.database.database import Database
from mailhost.database.hints import Hints
from mailhost.database.transaction import Transaction
from mailhost.database.types import METADATA
from mailhost.delivery.accept import Accepted, AcceptRequest, accept
from mailhost.delivery.directory import Directory
from mailhost.delivery.route import RecipientUnknown
from mailhost.delivery.waiting import WaitingDeliveries
from mailhost.events.event import Events
from mailhost.ids import AccountId, JourneyId, Uid, fresh, now
from mailhost.message.address import Address
from mailhost.message.structure import scan
from mailhost.queue import entries
from mailhost.queue.values import Acceptance, State
from mailhost.store import mailboxes, messages
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.store.tables import blob, keyword, mailbox, subscription
from mailhost.store.values import Content, MailboxKey
from mailhost.users import accounts, aliases, domains
from mailhost.users.errors import (
    AccountLeaving,
    AccountMissing,
    DomainInUse,
    LoginRefused,
    NoSuchDomain,
    PostmasterItself,
    PostmasterNeeded,
)
from mailhost.users.passwords import Cost, Logins, LoginSettings
from tests.administration.test_audit import send as send_by_smtp
from tests.engines import Place
from tests.store.building import count_rows

NOW = now()
LEDGER = {"acceptance", "delivery", "event"}
"""What stays for the trace, and goes when its time is over."""
SMALL = b"Subject: small\r\n\r\nbody\r\n"
UTF8 = "Subject: größer\r\n\r\nbody\r\n".encode()
LARGE = b"Subject: large\r\n\r\n" + b"0123456789" * 20_000 + b"\r\n"
ALICE, BOB = Address("alice", "example.org"), Address("bob", "example.org")


@asynccontextmanager
async def office(database: Database, place: Place) -> AsyncIterator[BlobStore]:
    """Alice, who is the postmaster, and Bob. Each has mail of his own, and they share some."""
    folder = place.folder / "blobs"
    folder.mkdir()
    octets = BlobStore(database, BlobSettings(folder, inline_octets=1000, files=place.is_sqlite))
    try:
        for each in (ALICE, BOB):
            await database.write(create, each, "hash", NOW)
            await send(database, octets, SMALL, str(each))
            await send(database, octets, LARGE, str(each))
        await send(database, octets, LARGE, str(ALICE), str(BOB))
        yield octets
    finally:
        octets.close()


async def send(database: Database, octets: BlobStore, content: bytes, *to: str) -> Accepted:
    directory = Directory(database)
    routes = [await directory.route(*each.rsplit("@", 1)) for each in to]
    return await send_by(database, octets, content, routes)


async def send_by(database: Database, octets: BlobStore, content: bytes, routes: Any) -> Accepted:
    incoming = octets.incoming()
    await incoming.write(content)
    its, _ = await incoming.finish()
    acceptance = Acceptance(JourneyId(fresh()), now(), "192.0.2.1", "c", None, "a@b.example", its.id, b"", its.size)
    try:
        return await database.write(accept, AcceptRequest(acceptance, Content(its, scan(content)), tuple(routes)))
    finally:
        await incoming.release()


async def with_everything(database: Database, octets: BlobStore, account: AccountId) -> None:
    """Bob has a row in each table that has an account's rows."""
    inbox, archive = await inbox_of(database, account), await key_of(database, account, "Archive")
    copied = await database.write(messages.copy, inbox, [Uid(1), Uid(2)], archive, NOW)
    await database.write(messages.expunge, archive, copied.targets[:1], NOW)
    await send_by_smtp(database, octets, UTF8, str(BOB), smtputf8=True)
    await database.write(add_keyword, inbox)


def add_keyword(tx: Transaction, key: MailboxKey) -> None:
    tx.execute(keyword.insert().values(account_id=key.account, mailbox_id=key.id, bit=5, name="colour"))


async def inbox_of(database: Database, account: AccountId) -> MailboxKey:
    return await key_of(database, account, "INBOX")


async def key_of(database: Database, account: AccountId, name: str) -> MailboxKey:
    return MailboxKey(account, (await database.read(mailboxes.find, account, name)).id)


async def id_of(database: Database, address: Address) -> AccountId:
    return (await database.read(accounts.find, address.local, address.domain)).id


def rows_of(tx: Transaction, account: AccountId) -> dict[str, int]:
    """How many rows each table has of an account; whichever tables there will be."""
    tables = [table for table in METADATA.tables.values() if "account_id" in table.c]
    counts = {
        table.name: tx.execute(
            select(func.count()).select_from(table).where(table.c.account_id == account)
        ).scalar_one()
        for table in tables
    }
    return {name: count for name, count in counts.items() if name not in LEDGER}


def files(octets: BlobStore) -> int:
    return sum(path.is_file() for path in octets.settings.folder.rglob("*"))


async def test_everything_of_the_account_goes_and_nothing_of_another_s(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        bob, alice = await id_of(database, BOB), await id_of(database, ALICE)
        await with_everything(database, octets, bob)
        before = await database.read(rows_of, alice)
        assert all((await database.read(rows_of, bob)).values())
        assert await delete_account(database, octets, BOB) == Deleted("bob@example.org", 6)
        assert not any((await database.read(rows_of, bob)).values())
        assert await database.read(rows_of, alice) == before
        assert [each.address for each in await list_accounts(database)] == ["alice@example.org"]
        assert await audit(database, octets) == []


async def test_octets_go_at_once_but_those_that_somebody_else_has(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        assert files(octets) == (3 if place.is_sqlite else 0)
        assert await database.read(count_rows, blob) == [5]
        await delete_account(database, octets, BOB)
        assert files(octets) == (2 if place.is_sqlite else 0)
        assert await database.read(count_rows, blob) == [3]
        assert await audit(database, octets) == []


async def test_the_ledger_still_tells_of_its_mail(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        before = await database.read(entries.states)
        await delete_account(database, octets, BOB)
        assert await database.read(entries.states) == before == {State.STORED: 6}


async def test_the_address_is_free_and_its_next_owner_finds_nothing(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        first = await id_of(database, BOB)
        await delete_account(database, octets, BOB)
        await database.write(create, BOB, "hash", NOW)
        second = await id_of(database, BOB)
        assert second != first
        assert (await database.read(mailboxes.find, second, "INBOX")).messages == 0
        await send(database, octets, SMALL, str(BOB))
        assert (await database.read(mailboxes.find, second, "INBOX")).messages == 1


async def test_an_interrupted_deletion_leaves_a_whole_store_and_is_finished_by_the_next(
    database: Database, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "AT_ONCE", 1)
    async with office(database, place) as octets:
        bob = await id_of(database, BOB)
        await with_everything(database, octets, bob)
        for pieces in (0, 1, 2, 3):
            with pytest.raises(Killed):
                await delete_account(StoppedAfter(database, 1 + pieces), octets, BOB)  # type: ignore[arg-type]
            assert await audit(database, octets) == []
            (left,) = [each for each in await list_accounts(database) if each.leaving]
            assert left.id == bob
        assert (await delete_account(database, octets, BOB)).address == "bob@example.org"
        assert not any((await database.read(rows_of, bob)).values())
        assert await audit(database, octets) == []


class Killed(Exception):
    pass


class StoppedAfter:
    """A database of a process that is killed after so many commits."""

    def __init__(self, database: Database, commits: int) -> None:
        self._database, self._left = database, commits

    async def write(self, *arguments: Any) -> Any:
        if self._left == 0:
            raise Killed
        self._left -= 1
        return await self._database.write(*arguments)


async def test_a_deletion_is_effective_at_once(database: Database, place: Place) -> None:
    """With its first commit: no login, no mail, no second account of the name; and its sessions hear of it."""
    async with office(database, place) as octets:
        bob = await id_of(database, BOB)
        logins = Logins(database, LoginSettings(cost=Cost(time=1, memory_kib=8)))
        await database.write(accounts.set_password, bob, await logins.hasher.hash("secret"), NOW)
        assert (await logins.check("bob@example.org", "secret")).account == bob
        presence, channel = Presence(database, Hints()), Ended()
        presence.enter(bob, channel)  # type: ignore[arg-type]
        with pytest.raises(Killed):
            await delete_account(StoppedAfter(database, 1), octets, BOB)  # type: ignore[arg-type]
        assert channel.why == ["account"]
        with pytest.raises(LoginRefused):
            await logins.check("bob@example.org", "secret")
        for name in ("bob", "bob+tag"):
            with pytest.raises(RecipientUnknown):
                await Directory(database).route(name, "example.org")
        with pytest.raises(AccountLeaving):
            await database.write(create, BOB, "hash", NOW)
        logins.close()


class Ended:
    def __init__(self) -> None:
        self.why: list[str] = []

    def end(self, why: str) -> None:
        self.why.append(why)


async def test_what_a_session_puts_in_meanwhile_goes_too(database: Database, place: Place) -> None:
    """It was in the midst of a command when its account left."""
    async with office(database, place) as octets:
        bob = await id_of(database, BOB)
        route = await Directory(database).route("bob", "example.org")
        busy = Interfering(database, lambda: send_by(database, octets, SMALL, [route]))
        await delete_account(busy, octets, BOB)  # type: ignore[arg-type]
        assert busy.interfered
        assert not any((await database.read(rows_of, bob)).values())
        assert await audit(database, octets) == []


class Interfering:
    """Somebody else commits right before the last step."""

    def __init__(self, database: Database, act: Any) -> None:
        self._database, self._act, self.interfered = database, act, False

    async def write(self, operation: Any, *arguments: Any) -> Any:
        if operation is removal._end and not self.interfered:
            self.interfered = True
            await self._act()
        return await self._database.write(operation, *arguments)


async def test_what_waits_for_it_is_cancelled_and_its_octets_are_free(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        carol = Address("carol", "example.org")
        await database.write(without_inbox, await database.write(create, carol, "hash", NOW))
        waits = await send(database, octets, SMALL, str(carol))
        assert [row.state for row in waits.deliveries] == [State.WAITING]
        assert (await delete_account(database, octets, carol)).cancelled == 1
        (row,) = await database.read(entries.of_journey, waits.deliveries[0].journey)
        assert (row.state, row.reason, row.next_try) == (State.CANCELLED, "its account was deleted", None)
        assert row.finished_at is not None
        assert await audit(database, octets) == []


def without_inbox(tx: Transaction, account: AccountId) -> None:
    tx.execute(mailbox.delete().where(mailbox.c.account_id == account, mailbox.c.name == "INBOX"))
    tx.execute(subscription.delete().where(subscription.c.account_id == account, subscription.c.name == "INBOX"))


@pytest.mark.parametrize("domain_too", [False, True])
async def test_what_is_accepted_for_an_account_just_gone_ends(
    database: Database, place: Place, domain_too: bool
) -> None:
    """Its RCPT came before the deletion, its DATA after; the next owner of the address does not get it."""
    async with office(database, place) as octets:
        route = await Directory(database).route("bob", "example.org")
        if domain_too:
            await delete_domain(database, octets, "example.org", with_accounts=True)
        else:
            await delete_account(database, octets, BOB)
        late = await send_by(database, octets, SMALL, [route])
        assert [row.state for row in late.deliveries] == [State.WAITING]
        assert await WaitingDeliveries(database, octets, Events()).deliver_due() == 0
        (row,) = await database.read(entries.of_journey, late.deliveries[0].journey)
        assert (row.state, row.reason) == (State.CANCELLED, "its account is no more")
        assert await audit(database, octets) == []


async def test_the_account_that_postmaster_stands_for_stays_until_another_does(
    database: Database, place: Place
) -> None:
    async with office(database, place) as octets:
        for address in (Address("other", "second.example"), Address("bob", "second.example")):
            await database.write(create, address, "hash", NOW)
        with pytest.raises(PostmasterNeeded, match=r"example\.org"):
            await delete_account(database, octets, ALICE)
        assert not (await database.read(accounts.find, "alice", "example.org")).leaving
        await database.write(aliases.add, Address("postmaster", "example.org"), [BOB], NOW)
        deleted = await delete_account(database, octets, ALICE)
        assert deleted.aliases == ("postmaster@example.org",)
        await database.write(aliases.add, Address("postmaster", "second.example"), [BOB], NOW)
        await database.write(aliases.add, Address("postmaster", "example.org"), [Address("bob", "second.example")], NOW)
        await delete_account(database, octets, Address("other", "second.example"))
        with pytest.raises(PostmasterNeeded, match=r"second\.example"):  # by way of another domain
            await delete_account(database, octets, BOB)


async def test_a_chain_to_the_postmaster_counts_and_an_account_of_that_name_too(
    database: Database, place: Place
) -> None:
    async with office(database, place) as octets:
        await database.write(aliases.add, Address("ops", "example.org"), [BOB], NOW)
        await database.write(
            aliases.add, Address("postmaster", "example.org"), [Address("ops+mail", "example.org")], NOW
        )
        await delete_account(database, octets, ALICE)
        with pytest.raises(PostmasterNeeded):
            await delete_account(database, octets, BOB)
        itself = Address("postmaster", "third.example")
        await database.write(create, itself, "hash", NOW)
        with pytest.raises(PostmasterItself, match=r"third\.example"):
            await delete_account(database, octets, itself)


async def test_a_damaged_account_goes_too(database: Database, place: Place) -> None:
    """Its messages are in a mailbox that is lost."""
    async with office(database, place) as octets:
        bob = await id_of(database, BOB)
        await database.write(without_inbox, bob)
        assert await audit(database, octets) != []
        await delete_account(database, octets, BOB)
        assert not any((await database.read(rows_of, bob)).values())
        assert await audit(database, octets) == []


async def test_nobody_is_missing_twice(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        await delete_account(database, octets, BOB)
        for address in (
            BOB,
            Address("nobody", "example.org"),
            Address("alice+tag", "example.org"),
            Address("a", "b.c"),
        ):
            with pytest.raises(AccountMissing):
                await delete_account(database, octets, address)


async def test_two_who_delete_it_at_once_do_no_harm(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        bob = await id_of(database, BOB)
        both = (delete_account(database, octets, BOB) for _ in range(2))
        answers = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(each).__name__ for each in answers) == ["AccountMissing", "Deleted"]
        assert not any((await database.read(rows_of, bob)).values())
        assert await audit(database, octets) == []


async def test_a_domain_with_accounts_or_aliases_is_refused_and_changes_nothing(
    database: Database, place: Place
) -> None:
    async with office(database, place) as octets:
        with pytest.raises(DomainInUse) as refused:
            await delete_domain(database, octets, "EXAMPLE.org", with_accounts=False)
        assert refused.value.args == ("example.org", 2, 1)
        with pytest.raises(NoSuchDomain):
            await delete_domain(database, octets, "nowhere.example", with_accounts=True)
        assert len(await list_accounts(database)) == 2
        assert not any(each.leaving for each in await list_accounts(database))


async def test_a_domain_goes_with_its_accounts_and_those_of_others_stay(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        carol = Address("carol", "second.example")
        await database.write(create, carol, "hash", NOW)
        await send(database, octets, SMALL, str(carol))
        await database.write(aliases.add, Address("both", "second.example"), [BOB, carol], NOW)
        deleted = await delete_domain(database, octets, "example.org", with_accounts=True)
        assert [(each.address, each.messages) for each in deleted] == [("alice@example.org", 3), ("bob@example.org", 3)]
        assert await database.read(domains.list_all) == ["second.example"]
        assert [each.address for each in await database.read(aliases.list_all)] == [
            "both@second.example",
            "postmaster@second.example",
        ]
        assert await database.read(accounts.targets_of, "both", "second.example") == [str(carol)]
        assert await database.read(count_rows, blob) == [1]
        assert files(octets) == 0
        assert await audit(database, octets) == []


async def test_a_domain_that_another_s_postmaster_leads_to_stays_whole(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        await database.write(create, Address("only", "second.example"), "hash", NOW)
        postmaster = Address("postmaster", "second.example")
        await database.write(aliases.add, postmaster, [BOB], NOW)
        await delete_account(database, octets, Address("only", "second.example"))
        with pytest.raises(PostmasterNeeded, match=r"second\.example"):
            await delete_domain(database, octets, "example.org", with_accounts=True)
        assert not any(each.leaving for each in await list_accounts(database))


async def test_an_interrupted_domain_is_finished_by_the_next(database: Database, place: Place) -> None:
    async with office(database, place) as octets:
        with pytest.raises(Killed):
            await delete_domain(StoppedAfter(database, 2), octets, "example.org", with_accounts=True)  # type: ignore[arg-type]
        assert all(each.leaving for each in await list_accounts(database))
        assert await audit(database, octets) == []
        assert len(await delete_domain(database, octets, "example.org", with_accounts=True)) == 2
        assert await database.read(domains.list_all) == []


async def test_the_sweeper_takes_what_a_crash_left_of_the_octets(
    database: Database, tmp_path: Path, place: Place
) -> None:
    """Between the commit of a piece and the removal of its files."""
    async with office(database, place) as octets:
        keep, octets.remove_file = octets.remove_file, lambda id_: None  # type: ignore[method-assign]
        await delete_account(database, octets, BOB)
        octets.remove_file = keep  # type: ignore[method-assign]
        left = files(octets)
        day_after = now() + 25 * 3_600_000
        await Sweeper(database, octets, clock=lambda: day_after).sweep()  # type: ignore[arg-type,return-value]
        assert (left, files(octets)) == ((3, 2) if place.is_sqlite else (0, 0))
