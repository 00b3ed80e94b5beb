"""Aliases are added where they lead to somebody, and never away from the postmaster."""

from itertools import product

import pytest

from mailhost.administration.accounts import create
from mailhost.database.database import Database
from mailhost.database.transaction import Transaction
from mailhost.ids import Millis
from mailhost.message.address import Address, parse_address
from mailhost.users import accounts, addresses, aliases
from mailhost.users.addresses import DEEPEST_ALIAS, MOST_TARGETS
from mailhost.users.changes import DirectoryChanged
from mailhost.users.errors import (
    AliasExists,
    AliasLoop,
    AliasMissing,
    AliasTaken,
    AliasTooDeep,
    DomainMissing,
    PostmasterNeeded,
    TargetUnknown,
    TooManyTargets,
)
from mailhost.users.values import Alias

NOW = Millis(1_780_000_000_000)


async def build(database: Database) -> None:
    """Alice is the postmaster."""
    for name in ("alice", "bob"):
        await database.write(create, Address(name, "example.org"), "hash", NOW)


def at(written: str) -> Address:
    return parse_address((written if "@" in written else f"{written}@example.org").encode())


async def add(database: Database, name: str, *targets: str) -> list[str]:
    return await database.write(aliases.add, at(name), [at(each) for each in targets], NOW)


async def remove(database: Database, name: str, *targets: str) -> list[str]:
    return await database.write(aliases.remove, at(name), [at(each) for each in targets])


async def leads_to(database: Database, name: str) -> list[str]:
    found = await database.read(addresses.destination, name, "example.org")
    return [each.address for each in found.targets]


async def test_a_group_leads_to_each_target_here_and_elsewhere(database: Database) -> None:
    await build(database)
    assert await add(database, "Sales", "alice", "BOB+tag", "Carol@Elsewhere.example") == [
        "alice@example.org",
        "bob+tag@example.org",
        "Carol@elsewhere.example",
    ]
    assert await leads_to(database, "sales") == ["alice@example.org", "bob@example.org", "Carol@elsewhere.example"]


async def test_a_target_is_added_once_however_it_is_written(database: Database) -> None:
    await build(database)
    assert await add(database, "sales", "alice", "Alice") == ["alice@example.org"]
    assert await add(database, "SALES", "aLICE", "bob") == ["bob@example.org"]
    assert await database.read(accounts.targets_of, "sales", "example.org") == ["alice@example.org", "bob@example.org"]


async def test_the_list_is_by_domain_and_name_with_targets_as_added(database: Database) -> None:
    await build(database)
    await add(database, "all", "bob", "alice")
    await database.write(create, Address("carol", "another.example"), "hash", NOW)
    assert await database.read(aliases.list_all) == [
        Alias("postmaster@another.example", ("carol@another.example",)),
        Alias("all@example.org", ("bob@example.org", "alice@example.org")),
        Alias("postmaster@example.org", ("alice@example.org",)),
    ]


async def test_what_cannot_be_an_alias_is_refused_and_nothing_is_kept(database: Database) -> None:
    await build(database)
    before = await database.read(aliases.list_all)
    for name, target, refusal in (
        ("bob", "alice", AliasTaken),
        ("x@nowhere.example", "alice", DomainMissing),
        ("x", "nobody", TargetUnknown),
        ("x", "nobody+tag", TargetUnknown),
        ("x", "x", AliasLoop),
        ("x", "X+tag", AliasLoop),
    ):
        with pytest.raises(refusal):
            await add(database, name, "bob", target)
    assert await database.read(aliases.list_all) == before


async def test_no_alias_leads_back_to_itself_by_any_way(database: Database) -> None:
    await build(database)
    await add(database, "a", "bob")
    await add(database, "b", "a+tag")
    await add(database, "c", "alice", "b")
    with pytest.raises(AliasLoop) as refused:
        await add(database, "a", "c")
    assert refused.value.args == ("a@example.org", "c@example.org")
    await database.write(create, Address("a+tag", "example.org"), "hash", NOW)  # now b leads there, and not to a
    assert await add(database, "a", "c") == ["c@example.org"]


async def test_a_chain_is_as_long_as_it_is_followed(database: Database) -> None:
    await build(database)
    await add(database, "n1", "bob")
    for length in range(2, DEEPEST_ALIAS + 1):
        await add(database, f"n{length}", f"n{length - 1}")
    assert await leads_to(database, f"n{DEEPEST_ALIAS}") == ["bob@example.org"]
    with pytest.raises(AliasTooDeep):
        await add(database, "longer", f"n{DEEPEST_ALIAS}")


async def test_groups_of_groups_are_looked_at_once_each(database: Database) -> None:
    """Else ten times ten groups of each other would be looked at for years."""
    await build(database)
    below = ["bob"]
    for level in range(DEEPEST_ALIAS - 1):
        groups = [f"g{level}-{number}" for number in range(6)]
        await database.write(lead, groups, below)
        below = groups
    await add(database, "all", *below)
    assert await leads_to(database, "all") == ["bob@example.org"]


def lead(tx: Transaction, names: list[str], targets: list[str]) -> None:
    for name, target in product(names, targets):
        accounts.add_alias(tx, name, "example.org", f"{target}@example.org", NOW)


async def test_a_group_has_as_many_members_as_are_followed(database: Database) -> None:
    await build(database)
    many = [f"member{number}@elsewhere.example" for number in range(MOST_TARGETS)]
    assert len(await add(database, "all", *many)) == MOST_TARGETS
    with pytest.raises(TooManyTargets):
        await add(database, "all", "bob")
    assert len(await leads_to(database, "all")) == MOST_TARGETS


async def test_targets_go_one_by_one_or_all_at_once(database: Database) -> None:
    await build(database)
    await add(database, "sales", "alice", "bob", "carol@elsewhere.example")
    assert await remove(database, "sales", "BOB") == ["bob@example.org"]
    for name, target in (("sales", "bob"), ("nobody", "bob"), ("sales@nowhere.example", "bob")):
        with pytest.raises(AliasMissing):
            await remove(database, name, target)
    with pytest.raises(AliasMissing):
        await remove(database, "sales", "alice", "bob")
    assert await remove(database, "sales") == ["alice@example.org", "carol@elsewhere.example"]
    assert await leads_to(database, "sales") == []
    with pytest.raises(AliasMissing):
        await remove(database, "sales")


async def test_the_postmaster_is_moved_and_never_lost(database: Database) -> None:
    await build(database)
    for targets in ((), ("alice",)):
        with pytest.raises(PostmasterNeeded, match=r"example\.org"):
            await remove(database, "postmaster", *targets)
    await add(database, "postmaster", "bob")
    await remove(database, "postmaster", "alice")
    assert await leads_to(database, "postmaster") == ["bob@example.org"]


async def test_the_way_to_the_postmaster_is_kept_through_other_aliases(database: Database) -> None:
    await build(database)
    await add(database, "ops", "bob")
    await add(database, "postmaster", "ops+urgent")
    await remove(database, "postmaster", "alice")
    with pytest.raises(PostmasterNeeded):
        await remove(database, "ops")
    assert await leads_to(database, "postmaster") == ["bob@example.org"]


async def test_an_alias_keeps_its_name_from_accounts(database: Database) -> None:
    await build(database)
    await add(database, "sales", "alice")
    with pytest.raises(AliasExists):
        await database.write(create, Address("SALES", "example.org"), "hash", NOW)


async def test_each_change_is_announced(database: Database) -> None:
    await build(database)
    heard: list[object] = []
    database.subscribe(heard.extend)
    await add(database, "sales", "alice")
    assert heard == [DirectoryChanged()]
    await remove(database, "sales")
    assert heard == [DirectoryChanged(), DirectoryChanged()]
