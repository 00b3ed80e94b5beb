"""Whom an address stands for."""

import pytest

from mailhost.administration.accounts import create
from mailhost.database.database import Database
from mailhost.ids import Millis
from mailhost.message.address import Address
from mailhost.users import accounts, addresses
from mailhost.users.errors import AccountExists
from mailhost.users.values import Local, Remote

NOW = Millis(1_780_000_000_000)


async def build(database: Database, *aliases: tuple[str, str]) -> None:
    for name in ("alice", "bob"):
        await database.write(create, Address(name, "example.org"), "hash", NOW)
    for name, target in aliases:
        await database.write(accounts.add_alias, name, "example.org", target, NOW)


async def names(database: Database, local_part: str, domain: str = "example.org") -> list[str]:
    return [target.address for target in (await database.read(addresses.destination, local_part, domain)).targets]


async def test_an_account_is_found_in_any_case_and_with_a_tag(database: Database) -> None:
    await build(database)
    for written in ("alice", "ALICE", "alice+news", "Alice+a+b"):
        assert await names(database, written) == ["alice@example.org"]
        assert not (await database.read(addresses.destination, written, "example.org")).expanded


async def test_an_account_with_a_plus_in_its_name_comes_before_the_tag(database: Database) -> None:
    await build(database)
    await database.write(create, Address("alice+work", "example.org"), "hash", NOW)
    assert await names(database, "alice+work") == ["alice+work@example.org"]


async def test_aliases_lead_to_many_through_chains_each_once(database: Database) -> None:
    await build(
        database,
        ("all", "staff@example.org"),
        ("all", "alice@example.org"),
        ("staff", "alice@example.org"),
        ("staff", "bob@example.org"),
    )
    assert sorted(await names(database, "all")) == ["alice@example.org", "bob@example.org"]


async def test_a_loop_of_aliases_ends(database: Database) -> None:
    await build(database, ("a", "b@example.org"), ("b", "a@example.org"), ("b", "bob@example.org"))
    assert await names(database, "a") == ["bob@example.org"]


async def test_a_loop_that_leads_nowhere_is_nobody(database: Database) -> None:
    await build(database, ("a", "b@example.org"), ("b", "a@example.org"))
    assert await names(database, "a") == []


async def test_other_domains_are_remote_and_keep_their_case(database: Database) -> None:
    await build(database)
    found = await database.read(addresses.destination, "Carol", "example.com")
    assert found.targets == (Remote("Carol@example.com", "example.com"),)
    assert not found.expanded


async def test_who_owns_an_alias_is_told_by_its_targets(database: Database) -> None:
    await build(database, ("info", "alice@example.org"))
    found = await database.read(addresses.destination, "info", "example.org")
    (target,) = found.targets
    assert isinstance(target, Local)
    assert target.address == "alice@example.org"
    assert found.expanded


async def test_a_local_part_in_utf_8_is_found_in_any_case_and_composed_or_not(database: Database) -> None:
    await database.write(create, Address("Ju\u0308rgen", "example.org"), "hash", NOW)
    await database.write(create, Address("用户", "example.org"), "hash", NOW)
    for written in ("j\u00fcrgen", "JU\u0308RGEN", "J\u00dcRGEN+\u6807\u7b7e"):
        assert await names(database, written) == ["j\u00fcrgen@example.org"]
        assert not (await database.read(addresses.destination, written, "example.org")).expanded
    assert await names(database, "用户") == ["用户@example.org"]
    account, _ = await database.read(accounts.password_of, "JU\u0308RGEN", "example.org") or (None, "")
    assert account is not None
    assert account.address == "j\u00fcrgen@example.org"


async def test_an_alias_in_utf_8_is_one_name_composed_or_not(database: Database) -> None:
    await build(database, ("e\u0301quipe", "bob@example.org"))
    assert await names(database, "\u00c9quipe") == ["bob@example.org"]
    with pytest.raises(AccountExists):
        await database.write(create, Address("\u00e9quipe", "example.org"), "hash", NOW)
