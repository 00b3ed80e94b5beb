"""What an administrator does to accounts, and what is said when it cannot be done."""

import inspect
from collections.abc import Iterator

import pytest

from mailhost.administration import accounts, domains
from mailhost.administration.accounts import add_accounts, create
from mailhost.administration.mailboxes import list_mailboxes
from mailhost.administration.refusals import SENTENCES, explained, sentence
from mailhost.database.database import Database
from mailhost.database.errors import Refused
from mailhost.ids import Millis
from mailhost.message.address import Address
from mailhost.store import mailboxes
from mailhost.store.mailboxes import FIRST_MAILBOXES
from mailhost.store.removal import Totals
from mailhost.store.values import MailboxKey
from mailhost.users import errors
from mailhost.users.errors import (
    AccountDisabled,
    AccountExists,
    AccountMissing,
    AliasExists,
    DomainMissing,
    LoginBusy,
    LoginRefused,
)
from mailhost.users.passwords import Cost, Logins, LoginSettings
from tests.store.building import fill

NOW = Millis(1_780_000_000_000)
ALICE, BOB = Address("alice", "example.org"), Address("bob", "example.org")
CHEAP = LoginSettings(cost=Cost(time=1, memory_kib=8))


@pytest.fixture
def closing() -> Iterator[list[Logins]]:
    made: list[Logins] = []
    yield made
    for each in made:
        each.close()


async def added(database: Database, logins: Logins, *pairs: tuple[str, str], add_domain: bool) -> dict[str, str | None]:
    return {
        address: reason async for address, reason in add_accounts(database, logins.hasher, pairs, add_domain=add_domain)
    }


async def test_an_unknown_domain_is_refused_with_its_cure_and_the_one_that_may_be_meant(
    database: Database, closing: list[Logins]
) -> None:
    closing.append(Logins(database, CHEAP))
    await domains.add_domain(database, "example.org")
    said = await added(database, closing[0], ("a@exmaple.org", "x"), ("b@other.test", "x"), add_domain=False)
    assert said == {
        "a@exmaple.org": "this server has no domain exmaple.org (did you mean example.org?);"
        " `mailhost domain add exmaple.org` adds it",
        "b@other.test": "this server has no domain other.test; `mailhost domain add other.test` adds it",
    }
    assert await domains.list_domains(database) == ["example.org"]
    assert await added(database, closing[0], ("b@other.test", "x"), add_domain=True) == {"b@other.test": None}
    assert await domains.list_domains(database) == ["example.org", "other.test"]


async def test_a_domain_is_said_as_people_write_it_and_kept_in_a_labels(database: Database) -> None:
    assert await domains.add_domain(database, "BÜCHER.example") == "xn--bcher-kva.example"
    said = await explained(database, DomainMissing("xn--bucher-kva.example"))
    assert "did you mean bücher.example?" in said
    await database.write(create, Address("小", "xn--bcher-kva.example"), "hash", NOW)
    assert await domains.list_with_counts(database) == [("xn--bcher-kva.example", 1, 1)]


async def test_who_cannot_be_added_is_known_before_a_password_is_typed(database: Database) -> None:
    await database.write(create, ALICE, "hash", NOW)
    await accounts.may_add(database, BOB, False)
    await accounts.may_add(database, Address("x", "new.example"), True)
    for address, add_domain, refusal in (
        (Address("ALICE", "example.org"), False, AccountExists),
        (ALICE, True, AccountExists),
        (Address("postmaster", "example.org"), False, AliasExists),
        (Address("x", "new.example"), False, DomainMissing),
    ):
        with pytest.raises(refusal):
            await accounts.may_add(database, address, add_domain)


async def test_a_new_password_counts_and_the_old_one_does_not(database: Database, closing: list[Logins]) -> None:
    logins = Logins(database, CHEAP)
    closing.append(logins)
    await added(database, logins, ("alice@example.org", "old"), add_domain=True)
    assert (await logins.check("alice@example.org", "old")).address == "alice@example.org"
    await accounts.set_password(database, logins.hasher, ALICE, "new")
    with pytest.raises(LoginRefused):
        await logins.check("alice@example.org", "old")
    assert (await logins.check("alice@example.org", "new")).address == "alice@example.org"
    with pytest.raises(AccountMissing):
        await accounts.set_password(database, logins.hasher, BOB, "new")


async def test_a_disabled_account_cannot_log_in_until_it_is_enabled(database: Database, closing: list[Logins]) -> None:
    logins = Logins(database, CHEAP)
    closing.append(logins)
    await added(database, logins, ("alice@example.org", "secret"), add_domain=True)
    assert await accounts.switch(database, ALICE, True)
    assert not await accounts.switch(database, ALICE, True)
    with pytest.raises(AccountDisabled):
        await logins.check("alice@example.org", "secret")
    assert await accounts.switch(database, ALICE, False)
    assert (await logins.check("alice@example.org", "secret")).address == "alice@example.org"
    with pytest.raises(AccountMissing):
        await accounts.switch(database, BOB, True)


async def test_the_list_says_who_is_disabled_and_what_each_holds(database: Database) -> None:
    for each in (ALICE, BOB):
        await database.write(create, each, "hash", NOW)
    bob = (await accounts.look(database, BOB)).account.id
    for name in ("INBOX", "Archive"):
        found = await database.read(mailboxes.find, bob, name)
        await fill(database, MailboxKey(bob, found.id), 2, size=100)
    await accounts.switch(database, BOB, True)
    alice_s, bob_s = await accounts.list_with_totals(database)
    assert (alice_s.account.address, alice_s.account.disabled) == ("alice@example.org", False)
    assert alice_s.totals == Totals(len(FIRST_MAILBOXES), 0, 0, 0)
    assert (bob_s.account.address, bob_s.account.disabled) == ("bob@example.org", True)
    assert bob_s.totals == Totals(len(FIRST_MAILBOXES), 4, 4, 400)
    assert (await accounts.look(database, BOB)) == bob_s
    assert [each.messages for each in await list_mailboxes(database, BOB)] == [2, 2, 0, 0, 0, 0]
    with pytest.raises(AccountMissing):
        await list_mailboxes(database, Address("nobody", "example.org"))


AT_LOGIN = {LoginRefused, AccountDisabled, LoginBusy}
"""What clients hear, and no administrator."""
REFUSALS = [
    kind
    for _, kind in inspect.getmembers(errors, inspect.isclass)
    if issubclass(kind, Refused) and kind not in {Refused, *AT_LOGIN}
]


@pytest.mark.parametrize("kind", REFUSALS)
def test_each_refusal_has_its_sentence_with_a_cure_in_one_line(kind: type[Refused]) -> None:
    said = sentence(kind("first.example", "second", "third"))
    assert "first.example" in said
    assert "\n" not in said
    assert kind in SENTENCES
    assert kind is errors.DomainExists or any(word in said for word in ("`", "choose", "delete", "name the", "make "))
