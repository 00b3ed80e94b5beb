"""The mailboxes of an account, as an administrator looks at them."""

from mailhost.database.database import Database
from mailhost.message.address import Address
from mailhost.store import mailboxes
from mailhost.store.values import Mailbox
from mailhost.users import accounts


async def list_mailboxes(database: Database, address: Address) -> list[Mailbox]:
    """INBOX first, then by name. Raises `AccountMissing`."""
    account = await database.read(accounts.find, address.local, address.domain)
    return await database.read(mailboxes.list_all, account.id)
