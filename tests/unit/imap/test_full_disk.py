"""A disk that fills while a message arrives: the rest of the literal is still read, never run."""

from pathlib import Path

import pytest

from mailhost.store.octets import Incoming
from tests.transcripts.world import World

from .talk import in_world, logged_in


def test_what_follows_a_failed_write_is_not_taken_for_commands(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(self: Incoming, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    async def act(here: World) -> None:
        async with logged_in(here) as one:
            header, body = b"Subject: hello\r\n\r\n", b"x DELETE Sent\r\n"
            monkeypatch.setattr(Incoming, "write", full)
            assert (await one.ask(b"a APPEND INBOX {%d}\r\n" % len(header + body))).startswith(b"+ ")
            assert (await one.ask(header)).startswith(b"a NO ")
            assert await one.ask(body + b"\r\n") == b""
            assert (await one.ask(b"b STATUS Sent (MESSAGES)\r\n")).endswith(b"b OK STATUS completed\r\n")

    in_world(tmp_path, template, act)
