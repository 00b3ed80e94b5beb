"""A disk that is full: what comes is refused whole, what is there can be read."""

from pathlib import Path

import pytest

from mailhost.database.errors import CommitFailed
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


def test_where_nothing_can_be_written_mail_is_read_all_the_same(tmp_path: Path, template: Path) -> None:
    async def write(*_: object) -> None:
        raise CommitFailed("the disk is full")

    async def act(here: World) -> None:
        await here.deliver(b"Subject: hello\r\n\r\n")
        async with logged_in(here) as one:
            here.services.database.write = write  # type: ignore[method-assign,assignment]  # as a full disk would
            said = await one.ask(b"a SELECT INBOX\r\n")
            assert b"* 1 EXISTS\r\n* 1 RECENT\r\n" in said
            assert said.endswith(b"a OK [READ-WRITE] Mailbox opened\r\n")
            said = await one.ask(b"b FETCH 1 (FLAGS BODY[TEXT])\r\n")
            assert b"* 1 FETCH (FLAGS (\\Recent) BODY[TEXT] {" in said
            assert said.endswith(b"b OK FETCH completed\r\n")
            assert (await one.ask(b"c STORE 1 +FLAGS (\\Seen)\r\n")).startswith(b"c NO [UNAVAILABLE] ")

    in_world(tmp_path, template, act)
