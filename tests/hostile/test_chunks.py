"""BDAT and DATA mixed, sizes that are wrong, ends within chunks (CVE-2023-51766 and its kin): no octet of a chunk is ever a command."""

import pytest

from tests.hostile.talk import Client, begin, hello, messages_of, serves_others
from tests.service import Server

pytestmark = pytest.mark.service

BOB = "bob@example.org"
MIB = 1 << 20
HEADER = b"Subject: chunks\r\n\r\n"
UNCOUNTED = [
    b"BDAT", b"BDAT ", b"BDAT -1 LAST", b"BDAT +5", b"BDAT 0x10", b"BDAT 99999999999999999999999", b"BDAT 4294967296", b"BDAT 5 6",
    b"BDAT 5 LAST LAST", b"BDAT 5\0", b"BDAT 5\rLAST", b"BDAT LAST 5", b"BDAT \xd9\xa5", b"BDAT " + b"5" * 4000,
]  # fmt: skip
FORGED = b"RSET\r\nMAIL FROM:<eve@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nforged\r\n.\r\nNOOP\r\n"


def chunk(data: bytes, *, last: bool = False) -> bytes:
    return b"BDAT %d%b\r\n%b" % (len(data), b" LAST" * last, data)


def transaction(client: Client) -> None:
    assert client.ask(b"MAIL FROM:<eve@example.net>\r\n").startswith(b"250 ")
    assert client.ask(f"RCPT TO:<{BOB}>\r\n".encode()).startswith(b"250 ")


def test_data_after_bdat_and_bdat_in_data_are_no_way_out(victim: Server) -> None:
    before = messages_of(victim, BOB)
    with hello(victim) as client:
        transaction(client)
        assert client.ask(chunk(HEADER)).startswith(b"250 ")
        assert client.ask(b"DATA\r\n").startswith(b"503 ")
        assert client.ask(chunk(FORGED)).startswith(b"250 ")
        assert client.ask(b"RSET\r\n").startswith(b"250 ")
        begin(client, BOB)
        assert client.ask(chunk(FORGED.replace(b".\r\n", b""), last=True) + b".\r\n").startswith(b"250 2.0.0 Accepted")
        assert client.ask(b"QUIT\r\n").startswith(b"221 ")
    assert messages_of(victim, BOB) == before + 1


@pytest.mark.parametrize("end", [b"\r\n.\r\n", b".\r\n", b"\r\n.\r\nQUIT\r\n", FORGED])
def test_an_end_within_a_chunk_is_text(victim: Server, end: bytes) -> None:
    before = messages_of(victim, BOB)
    with hello(victim) as client:
        transaction(client)
        client.send(chunk(HEADER + end) + chunk(end) + chunk(b"", last=True) + b"QUIT\r\n")
        assert [client.reply()[:4] for _ in range(4)] == [b"250 ", b"250 ", b"250 ", b"221 "]
        assert client.rest() == b""
    assert messages_of(victim, BOB) == before + 1


def test_packets_that_end_anywhere_in_pipelined_chunks_change_nothing(victim: Server) -> None:
    before = messages_of(victim, BOB)
    said = chunk(HEADER) + chunk(FORGED) + chunk(b"end\r\n", last=True) + b"NOOP\r\n"
    for cut in range(0, len(said), 7):
        with hello(victim) as client:
            transaction(client)
            client.send(said[:cut])
            client.send(said[cut:])
            assert [client.reply()[:4] for _ in range(4)] == [b"250 "] * 4
    assert messages_of(victim, BOB) == before + len(range(0, len(said), 7))


@pytest.mark.parametrize("command", UNCOUNTED)
def test_a_chunk_of_unknown_size_ends_the_conversation(victim: Server, command: bytes) -> None:
    before = messages_of(victim, BOB)
    with hello(victim) as client:
        transaction(client)
        client.send(command + b"\r\n" + FORGED)
        assert client.rest() == b"501 5.5.4 Where this chunk ends cannot be known, closing the connection\r\n"
    assert messages_of(victim, BOB) == before


def test_chunks_that_nobody_wanted_cost_no_memory(victim: Server) -> None:
    """Neither before MAIL nor beyond the limit is anything of them kept."""
    before, many = victim.resident_octets(), 64
    with hello(victim) as client:
        client.send(b"BDAT %d LAST\r\n" % (many * MIB))
        for _ in range(many):
            client.send(b"x" * MIB)
        assert client.reply().startswith(b"503 5.5.1 ")
        transaction(client)
        client.send(b"BDAT %d LAST\r\n" % (many * MIB))
        for _ in range(many):
            client.send(b"x" * MIB)
        serves_others(victim)
        assert victim.resident_octets() - before < 16 * MIB
        assert client.reply().startswith(b"552 5.3.4 ")
        assert client.ask(b"NOOP\r\n").startswith(b"250 ")


def test_a_connection_lost_among_chunks_leaves_nothing(victim: Server) -> None:
    before = messages_of(victim, BOB)
    for content in (HEADER, HEADER + b"x" * 300_000):
        with hello(victim) as client:
            transaction(client)
            assert client.ask(chunk(content)).startswith(b"250 ")
            client.send(b"BDAT 1000 LAST\r\nhalf of it")
            client.reset()
    assert messages_of(victim, BOB) == before
