"""A changed password or a disabled account ends the sessions that are open, from this process and from another."""

import asyncio
from pathlib import Path

import pytest

from mailhost.database.hints import Hint, Kind
from mailhost.ids import now
from mailhost.pop3.dialect import conversation
from mailhost.transport.memory import MemoryWire
from mailhost.users import accounts
from tests.transcripts.world import PASSWORD, World, prepare, world


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presence") / "data"
    prepare(folder)
    return folder


async def logged_in(here: World, user: str) -> tuple[MemoryWire, "asyncio.Task[None]"]:
    wire = MemoryWire()
    task = asyncio.ensure_future(conversation(here.services)(wire.channel))
    for line in (f"USER {user}@example.org", f"PASS {PASSWORD}"):
        wire.client_says(line.encode() + b"\r\n")
    while b"Maildrop" not in wire.output:
        await asyncio.sleep(0)
    return wire, task


async def test_a_new_password_ends_the_sessions_of_its_account_alone(tmp_path: Path, template: Path) -> None:
    async with world(tmp_path / "data", template=template, allow_plaintext=True) as here:
        alice, ended = await logged_in(here, "alice")
        bob, goes_on = await logged_in(here, "bob")
        await here.services.database.write(accounts.set_password, await here.account("alice"), "another hash", now())
        await ended
        assert alice.closed
        assert alice.output.endswith(b"-ERR [AUTH] Your account was changed: log in again\r\n")
        bob.client_says(b"QUIT\r\n")
        await goes_on
        assert b"+OK Goodbye" in bob.output


async def test_a_hint_from_another_process_ends_them_too(tmp_path: Path, template: Path) -> None:
    async with world(tmp_path / "data", template=template, allow_plaintext=True) as here:
        alice, ended = await logged_in(here, "alice")
        here.services.hints.heard(Hint(Kind.ACCOUNT, await here.account("alice")))
        await ended
        assert alice.closed


async def test_commands_sent_ahead_do_not_keep_a_session_open(tmp_path: Path, template: Path) -> None:
    async with world(tmp_path / "data", template=template, allow_plaintext=True) as here:
        alice, ended = await logged_in(here, "alice")
        alice.output.clear()
        account = await here.account("alice")
        alice.client_says(b"STAT\r\n" * 3)
        here.services.presence.end(account)
        await ended
        assert alice.output.count(b"+OK") <= 1  # the one under way, if any


async def test_who_has_quit_is_no_longer_here(tmp_path: Path, template: Path) -> None:
    async with world(tmp_path / "data", template=template, allow_plaintext=True) as here:
        alice, ended = await logged_in(here, "alice")
        alice.client_says(b"QUIT\r\n")
        await ended
        here.services.presence.end(await here.account("alice"))
        assert not alice.channel.ending
