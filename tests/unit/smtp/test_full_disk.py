"""A disk that fills while a message arrives: the rest of the message is still read, never run."""

from pathlib import Path

import pytest

from mailhost.store.octets import Incoming
from tests.transcripts.world import World

from .talk import begin, client, in_world, messages_of

SMUGGLED = b"RSET\r\nMAIL FROM:<eve@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nforged\r\n"


def test_what_follows_a_failed_write_of_a_chunk_is_not_taken_for_commands(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: Incoming, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "alice", command=b"")
            monkeypatch.setattr(Incoming, "write", full)
            content = b"Subject: hello\r\n\r\n" + SMUGGLED
            assert (await one.ask(b"BDAT %d\r\n%b" % (len(content), content))).startswith(b"451 ")
            monkeypatch.undo()
            assert (await one.ask(b"BDAT %d LAST\r\n%b" % (len(content), content))).startswith(b"451 ")
            assert (await one.ask(b"DATA\r\n")).startswith(b"503 ")
        assert await messages_of(here, "alice") == 0

    in_world(tmp_path, template, act)


def test_what_follows_a_failed_write_is_not_taken_for_commands(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: Incoming, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "alice")
            monkeypatch.setattr(Incoming, "write", full)
            await one.say(b"Subject: hello\r\n\r\n" + SMUGGLED)
            assert await one.heard() == b""
            assert (await one.ask(b".\r\n")).startswith(b"451 ")
            monkeypatch.undo()
            assert (await one.ask(b"DATA\r\n")).startswith(b"503 ")
        assert await messages_of(here, "alice") == 0

    in_world(tmp_path, template, act)
