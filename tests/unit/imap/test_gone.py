"""An account that another process has deleted, whose hint has not come yet: its sessions are told so, and nothing is a fault."""

from pathlib import Path

from mailhost.administration.removal import delete_account
from mailhost.database.database import Database
from mailhost.database.sqlite import SQLiteEngine
from mailhost.events.event import FAULT, Event
from mailhost.ids import now
from mailhost.message.address import Address
from mailhost.store.tables import mailbox, mailbox_message, message, subscription
from mailhost.users import accounts
from tests.store.building import count_rows
from tests.transcripts.world import DOMAIN, World

from .talk import in_world, logged_in

SELECTED = {
    b"NOOP": b"x OK",
    b"FETCH 1 (FLAGS BODY[])": b"x NO [NONEXISTENT]",
    b"STORE 1 +FLAGS (\\Seen)": b"x NO [NONEXISTENT]",
    b"COPY 1 Trash": b"x NO [TRYCREATE]",
    b"EXPUNGE": b"* BYE [UNAVAILABLE]",
}
LOGGED_IN = {
    b"CREATE New": b"x NO [UNAVAILABLE]",
    b"RENAME Sent Gone": b"x NO [NONEXISTENT]",
    b"RENAME INBOX Gone": b"x NO ",
    b"SUBSCRIBE Sent": b"x NO [NONEXISTENT]",
    b"DELETE Trash": b"x NO [NONEXISTENT]",
    b'LIST "" *': b"x OK",
    b"STATUS INBOX (MESSAGES)": b"x NO [NONEXISTENT]",
    b"APPEND INBOX {3+}\r\nx\r\n": b"x NO [TRYCREATE]",
    b"SELECT INBOX": b"x NO [NONEXISTENT]",
}


def test_sessions_of_an_account_that_is_gone_are_told_no(tmp_path: Path, template: Path) -> None:
    async def act(here: World) -> None:
        faults: list[Event] = []
        here.services.events.subscribe(lambda event: faults.append(event) if event.kind == FAULT else None)
        await here.deliver(b"Subject: hello\r\n\r\n")
        await here.services.database.write(accounts.add_alias, "postmaster", DOMAIN, f"bob@{DOMAIN}", now())
        async with logged_in(here, selected="INBOX") as reader, logged_in(here) as writer:
            await deleted_elsewhere(here)
            for one, commands in ((reader, SELECTED), (writer, LOGGED_IN)):
                for command, answer in commands.items():
                    said = await one.ask(b"x " + command + b"\r\n")
                    assert said.startswith(answer), (command, said)
        rows = await here.services.database.read(count_rows, mailbox, subscription, mailbox_message, message)
        assert rows == [6, 6, 0, 0]  # Bob's
        assert faults == []

    in_world(tmp_path, template, act)


async def deleted_elsewhere(here: World) -> None:
    other = Database(SQLiteEngine(here.folder / "mail.db"))
    try:
        await delete_account(other, here.services.blobs, Address("alice", DOMAIN))
    finally:
        await other.close()
