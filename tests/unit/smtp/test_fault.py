"""A mistake of ours in the middle of a message: the client hears 451, and what was still to come is never run."""

from pathlib import Path

import pytest

from mailhost.smtp.incoming import Incoming
from tests.transcripts.world import World

from .talk import begin, client, in_world, messages_of

SMUGGLED = b"RSET\r\nMAIL FROM:<eve@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nforged\r\n.\r\n"


@pytest.mark.parametrize("command", [b"DATA\r\n", b"BDAT 1000\r\n"])
def test_the_session_ends(tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch, command: bytes) -> None:
    async def mistake(self: Incoming, data: bytes) -> None:
        raise ZeroDivisionError

    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "alice", command=b"")
            monkeypatch.setattr(Incoming, "take", mistake)
            said = await one.ask(command + b"Subject: hello\r\n\r\n" + SMUGGLED)
            assert said.removeprefix(b"354 End data with <CR><LF>.<CR><LF>\r\n").startswith(b"451 4.3.0 ")
            assert said.count(b"\r\n") <= 2
            assert one.wire.closed
        assert await messages_of(here, "alice") == 0
        assert await messages_of(here, "bob") == 0

    in_world(tmp_path, template, act)


def test_a_bdat_line_too_long_ends_the_session_for_nobody_knows_how_many_octets_follow(
    tmp_path: Path, template: Path
) -> None:
    async def act(here: World) -> None:
        async with client(here) as one:
            await begin(one, "alice", command=b"")
            said = await one.ask(b"BDAT 20 " + b"x" * 20_000 + b"\r\n" + SMUGGLED)
            assert said.startswith(b"500 5.5.2 ")
            assert said.count(b"\r\n") == 1
            assert one.wire.closed

    in_world(tmp_path, template, act)
