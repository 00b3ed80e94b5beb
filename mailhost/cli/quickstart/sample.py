"""Sample accounts with one password, made at random the first time and kept in the data folder."""

import asyncio
from pathlib import Path

from mailhost.cli import office
from mailhost.cli.exits import EX_SOFTWARE, Failure
from mailhost.cli.files import make_password, write_new
from mailhost.config.settings import Config

DOMAIN = "example.org"
ADDRESSES = (f"alice@{DOMAIN}", f"bob@{DOMAIN}")
FILE = "sample-password"
WELCOME = """\
Welcome to mailhost.

This message came the way that every message takes: it was accepted in one durable commit, and your client fetched it
from the mailbox store. Answer it, or write to the other sample account:

    alice@example.org    bob@example.org

Both have the password that scripts/run has printed. The server keeps all of it in the folder of its settings; take the
folder away, and nothing of it is left.
"""


def password(data: Path) -> str:
    """The same at every start; 71 bits of chance."""
    path = data / FILE
    if not path.exists():
        write_new(path, f"{make_password()}\n".encode())
    return path.read_text(encoding="ascii").strip()


def add_accounts(config: Config, secret: str) -> None:
    """Add the accounts that are not there yet, and welcome their owners."""
    asyncio.run(_add(config, secret))


async def _add(config: Config, secret: str) -> None:
    existing = {account.address for account in await office.list_accounts(config)}
    missing = [(address, secret) for address in ADDRESSES if address not in existing]
    if not missing:
        return
    async for address, reason in office.add_accounts(config, missing, add_domain=True):
        if reason is not None:
            raise Failure(f"the sample account {address} could not be added: {reason}", EX_SOFTWARE)
    await office.welcome(config, [address for address, _ in missing], WELCOME)
