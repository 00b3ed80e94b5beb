"""Domains that this server answers for."""

from mailhost.database.database import Database
from mailhost.ids import DomainId, fresh, now
from mailhost.message.address import parse_domain
from mailhost.users import domains


async def add_domain(database: Database, name: str) -> str:
    """Answers with the name as it is kept. Raises `AddressProblem`, `DomainExists`. Its first account will be its postmaster."""
    kept = parse_domain(name)
    await database.write(domains.add, DomainId(fresh()), kept, now())
    return kept


async def list_domains(database: Database) -> list[str]:
    return await database.read(domains.list_all)


async def list_with_counts(database: Database) -> list[tuple[str, int, int]]:
    """Each with the number of its accounts and of its aliases."""
    return [(name, *await database.read(domains.counts, name)) for name in await list_domains(database)]
