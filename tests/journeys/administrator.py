"""The command line, beside a running server."""

import asyncio
import subprocess
import sys
from pathlib import Path

from mailhost.administration.opening import open_database
from mailhost.config.load import load
from mailhost.database.transaction import Transaction
from mailhost.ids import now
from mailhost.users import accounts
from tests.journeys.readers import Person
from tests.service import END_SECONDS, TOP, Server


def add(server: Server, *people: Person) -> None:
    """As an administrator does it, beside the running server."""
    lines = "".join(f"{each.address} {each.password}\n" for each in people)
    mailhost(server, "user", "add", "--lines", given=lines)


def make_group(server: Server, name: str, *people: Person) -> None:
    """An alias of several. No command makes one yet."""
    local_part, _, domain = name.partition("@")

    def add_all(tx: Transaction) -> None:
        for each in people:
            accounts.add_alias(tx, local_part, domain, each.address, now())

    async def write() -> None:
        async with open_database(load(Path(str(server.facts["config"])))) as database:
            await database.write(add_all)

    asyncio.run(write())


def mailhost(server: Server, *arguments: str, given: str = "", code: int = 0) -> str:
    """The command line, on the settings of a running server; answers with what it printed."""
    command = [sys.executable, "-m", "mailhost", *arguments, "--config", str(server.facts["config"])]
    ended = subprocess.run(
        command, input=given, capture_output=True, text=True, cwd=TOP, timeout=4 * END_SECONDS, check=False
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout
