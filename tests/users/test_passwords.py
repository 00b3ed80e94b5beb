"""Logging in: hashes, the cache of verified passwords, and what unknown users cost."""

import asyncio
from datetime import timedelta

import pytest

from mailhost.administration.accounts import add_accounts, create
from mailhost.database.database import Database
from mailhost.ids import Millis
from mailhost.message.address import Address
from mailhost.users import accounts
from mailhost.users.errors import AccountDisabled, LoginBusy, LoginRefused
from mailhost.users.passwords import Cost, Hasher, Logins, LoginSettings

NOW = Millis(1_780_000_000_000)
CHEAP = LoginSettings(Cost(1, 8, 1))


class Counting(Logins):
    """Counts the hashes that were computed."""

    hashes = 0

    def __init__(self, database: Database, settings: LoginSettings = CHEAP) -> None:
        super().__init__(database, settings, clock=lambda: self.now)
        self.now = 0.0
        verify = self.hasher.verify

        async def counted(password: str, secret: str) -> bool:
            self.hashes += 1
            return await verify(password, secret)

        self.hasher.verify = counted  # type: ignore[method-assign]


async def logins(database: Database, settings: LoginSettings = CHEAP) -> Counting:
    made = Counting(database, settings)
    await database.write(create, Address("alice", "example.org"), await made.hasher.hash("secret"), NOW)
    return made


async def test_the_right_password_logs_in_and_is_hashed_once(database: Database) -> None:
    checked = await logins(database)
    for written in ("alice@example.org", "Alice@Example.ORG", " alice@example.org "):
        assert (await checked.check(written, "secret")).address == "alice@example.org"
    assert checked.hashes == 1


@pytest.mark.parametrize(
    "user", ["alice@b\u00fccher.example", "alice@xn--bcher-kva.example", "ALICE@B\u00dcCHER.example."]
)
async def test_a_domain_has_two_spellings_and_one_meaning(database: Database, user: str) -> None:
    """RFC 5890 section 2.3.2.1: a U-label and its A-label are the same name."""
    checked = await logins(database)
    address = Address("alice", "xn--bcher-kva.example")
    await database.write(create, address, await checked.hasher.hash("secret"), NOW)
    assert (await checked.check(user, "secret")).address == str(address)


async def test_a_wrong_password_an_unknown_user_and_a_nul_cost_one_hash_each(database: Database) -> None:
    checked = await logins(database)
    for user, password in (
        ("alice@example.org", "wrong"),
        ("nobody@example.org", "secret"),
        ("alice", "secret"),
        ("alice@example.org", "secret\0"),
        ("alice@example.org", ""),
        ("alice@example.org", "x" * 5000),
        ("alice\0@example.org", "secret"),
        ("alice@example.org\0", "secret"),
        ("\ud800@example.org", "secret"),
        ("alice@" + "x" * 100_000, "secret"),
    ):
        before = checked.hashes
        with pytest.raises(LoginRefused):
            await checked.check(user, password)
        assert checked.hashes == before + 1, (user, password[:10])


async def test_a_changed_password_counts_at_once_whatever_was_verified(database: Database) -> None:
    checked = await logins(database)
    login = await checked.check("alice@example.org", "secret")
    await database.write(accounts.set_password, login.account, await checked.hasher.hash("other"), NOW)
    with pytest.raises(LoginRefused):
        await checked.check("alice@example.org", "secret")
    assert (await checked.check("alice@example.org", "other")).account == login.account


async def test_what_was_verified_is_forgotten_after_its_time(database: Database) -> None:
    checked = await logins(database, LoginSettings(Cost(1, 8, 1), cached=timedelta(seconds=60)))
    await checked.check("alice@example.org", "secret")
    checked.now = 61.0
    await checked.check("alice@example.org", "secret")
    assert checked.hashes == 2


async def test_a_disabled_account_is_refused_even_when_it_was_verified(database: Database) -> None:
    checked = await logins(database)
    login = await checked.check("alice@example.org", "secret")
    await database.write(accounts.set_disabled, login.account, True)
    with pytest.raises(AccountDisabled):
        await checked.check("alice@example.org", "secret")


async def test_a_flood_of_logins_is_bounded(database: Database) -> None:
    hasher = (await logins(database, LoginSettings(Cost(1, 8, 1), queue=3))).hasher
    secret = await hasher.hash("secret")
    outcomes = await asyncio.gather(
        *(Hasher.verify(hasher, f"wrong {number}", secret) for number in range(10)), return_exceptions=True
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds.count(LoginBusy) == 7
    assert kinds.count(bool) == 3


async def test_accounts_are_added_in_the_order_given_each_with_its_mailboxes(database: Database) -> None:
    hasher = Logins(database, CHEAP).hasher
    pairs = [("alice@example.org", "a"), ("bob@example.org", "b"), ("alice@example.org", "c"), ("no address", "d")]
    outcomes = [outcome async for outcome in add_accounts(database, hasher, pairs, add_domain=True)]
    assert [reason is None for _, reason in outcomes] == [True, True, False, False]
    assert [account.address for account in await database.read(accounts.list_accounts)] == [
        "alice@example.org",
        "bob@example.org",
    ]


async def test_a_password_changed_while_the_old_one_is_checked_lets_nobody_in(database: Database) -> None:
    checked = await logins(database)
    account = await database.read(accounts.find, "alice", "example.org")
    verify, another = checked.hasher.verify, await checked.hasher.hash("another")

    async def slowly(password: str, secret: str) -> bool:
        await database.write(accounts.set_password, account.id, another, NOW)
        return await verify(password, secret)

    checked.hasher.verify = slowly  # type: ignore[method-assign]
    with pytest.raises(LoginRefused):
        await checked.check("alice@example.org", "secret")
