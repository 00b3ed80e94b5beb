"""Domains that this server answers for."""

from mailhost.database.database import Database
from mailhost.ids import DomainId, fresh, now
from mailhost.message.address import parse_domain
from mailhost.users import domains


async def add_domain(database: Database, name: str) -> None:
    """Raises `AddressProblem`, `DomainExists`. Its first account will be its postmaster."""
    await database.write(domains.add, DomainId(fresh()), parse_domain(name), now())


async def list_domains(database: Database) -> list[str]:
    return await database.read(domains.list_all)
