"""A group named again and again does not multiply one message without end."""

from pathlib import Path

import pytest

from mailhost.smtp.commands import rcpt
from tests.transcripts.world import World

from .talk import client, in_world


def test_copies_are_counted_over_all_recipients(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rcpt, "MOST_COPIES", 3)

    async def act(here: World) -> None:
        for target in ("alice", "bob"):
            await here.alias("all@example.org", f"{target}@example.org")
        async with client(here) as one:
            await one.ask(b"MAIL FROM:<eve@example.net>\r\n")
            assert (await one.ask(b"RCPT TO:<all@example.org>\r\n")).startswith(b"250 ")
            assert (await one.ask(b"RCPT TO:<all@example.org>\r\n")).startswith(b"452 ")
            assert (await one.ask(b"RCPT TO:<bob@example.org>\r\n")).startswith(b"250 ")

    in_world(tmp_path, template, act)


def test_a_group_that_is_too_large_by_itself_is_served_alone(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rcpt, "MOST_COPIES", 1)

    async def act(here: World) -> None:
        for target in ("alice", "bob"):
            await here.alias("all@example.org", f"{target}@example.org")
        async with client(here) as one:
            await one.ask(b"MAIL FROM:<eve@example.net>\r\n")
            assert (await one.ask(b"RCPT TO:<all@example.org>\r\n")).startswith(b"250 ")

    in_world(tmp_path, template, act)
