"""Aliases: other names for accounts, groups, and addresses elsewhere; effective at the next RCPT."""

from collections.abc import Sequence

from mailhost.database.database import Database
from mailhost.ids import now
from mailhost.message.address import Address
from mailhost.users import aliases
from mailhost.users.values import Alias


async def add_alias(database: Database, name: Address, targets: Sequence[Address]) -> list[str]:
    """Answers with the targets that are new. Raises what `aliases.add` raises."""
    return await database.write(aliases.add, name, targets, now())


async def delete_alias(database: Database, name: Address, targets: Sequence[Address]) -> list[str]:
    """All of it when no target is named. Answers with those that went. Raises `AliasMissing`, `PostmasterNeeded`."""
    return await database.write(aliases.remove, name, targets)


async def list_aliases(database: Database) -> list[Alias]:
    return await database.read(aliases.list_all)
