"""Connections that are lost in the middle of a message leave nothing: no row, no file, no count."""

import sqlite3
from collections.abc import Callable
from contextlib import closing

import pytest

from tests.hostile.talk import Client, begin, closed, eventually, hello, imap, submitted
from tests.service import Server

pytestmark = pytest.mark.service

TABLES = ("acceptance", "delivery", "blob", "message", "mailbox_message", "expunged_message")
WAYS = {"reset": Client.reset, "closed": lambda client: client.sock.close()}


def rows(server: Server) -> dict[str, int]:
    """As the database has them, read beside the server."""
    with closing(sqlite3.connect(f"file:{server.data}/mailhost.db?mode=ro", uri=True)) as database:
        return {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES}


def files(server: Server) -> list[str]:
    """All but the database's own, and the locks."""
    found = (path.relative_to(server.data).as_posix() for path in server.data.rglob("*") if path.is_file())
    return sorted(path for path in found if not path.startswith(("mailhost.db", "locks/")))


def lose(server: Server, way: Callable[[Client], None], client: Client, ended: int) -> None:
    way(client)
    eventually(lambda: closed(server) > ended)


@pytest.mark.parametrize("octets", [0, 100, 70_000, 1_000_000])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_lost_in_an_append(victim: Server, octets: int, way: Callable[[Client], None]) -> None:
    """Half of the literal is there; for 1,000,000 octets a file too, until then."""
    before, kept = rows(victim), files(victim)
    with imap(victim) as client:
        ended = closed(victim)
        assert client.tagged(b"a APPEND INBOX {%d}\r\n" % (2 * octets + 100)).startswith(b"+ ")
        client.send(b"Subject: lost\r\n\r\n" + b"x" * octets)
        lose(victim, way, client, ended)
    assert rows(victim) == before
    assert files(victim) == kept


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_lost_when_all_of_an_append_is_there_but_its_end_of_line(victim: Server, way: Callable[[Client], None]) -> None:
    before, kept = rows(victim), files(victim)
    with imap(victim) as client:
        ended = closed(victim)
        content = b"Subject: lost\r\n\r\n" + b"x" * 100_000
        assert client.tagged(b"a APPEND INBOX {%d}\r\n" % len(content)).startswith(b"+ ")
        client.send(content)
        lose(victim, way, client, ended)
    assert rows(victim) == before
    assert files(victim) == kept


@pytest.mark.parametrize("octets", [0, 70_000, 1_000_000])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_lost_in_data(victim: Server, octets: int, way: Callable[[Client], None]) -> None:
    before, kept = rows(victim), files(victim)
    with hello(victim) as client:
        ended = closed(victim)
        begin(client)
        client.send(b"Subject: lost\r\n\r\n" + b"x" * octets + b"\r\n.\r")
        lose(victim, way, client, ended)
    assert rows(victim) == before
    assert files(victim) == kept


def test_lost_in_tls_in_the_middle_of_a_submission(victim: Server) -> None:
    before, kept = rows(victim), files(victim)
    with submitted(victim) as client:
        ended = closed(victim)
        assert client.ask(b"MAIL FROM:<alice@example.org>\r\n").startswith(b"250 ")
        assert client.ask(b"RCPT TO:<elsewhere@example.net>\r\n").startswith(b"250 ")
        assert client.ask(b"DATA\r\n").startswith(b"354 ")
        client.send(b"Subject: lost\r\n\r\n" + b"x" * 200_000)
        lose(victim, Client.reset, client, ended)
    assert rows(victim) == before
    assert files(victim) == kept


def test_a_refused_message_leaves_nothing_either(victim: Server) -> None:
    before, kept = rows(victim), files(victim)
    with hello(victim) as client:
        for content in (b"x" * 9_000_000, b"a\rb" + b"x" * 200_000, b"a\0b" + b"x" * 200_000):
            begin(client)
            assert client.ask(content + b"\r\n.\r\n")[:3] in (b"552", b"550")
    with imap(victim) as client:
        content = b"x" * 200_000 + b"\0"
        client.send(b"a APPEND INBOX {%d+}\r\n%b\r\n" % (len(content), content))
        assert client.line().startswith(b"a NO [CANNOT] ")
        client.send(b"b APPEND Missing {%d+}\r\n%b\r\n" % (len(content), content))
        assert client.line().startswith(b"b NO [TRYCREATE] ")
        client.send(b"c APPEND INBOX {3+}\r\nabc {3+}\r\nabc\r\n")
        assert client.line().startswith(b"* BYE ")
        assert client.line().startswith(b"c BAD ")
    assert rows(victim) == before
    assert files(victim) == kept
