"""The wire log says who said what, in which protocol, and makes up no line; of messages it shows the header and the size."""

import io
from collections.abc import Callable
from typing import Any

import pytest

from mailhost.events.event import (
    CONNECTION_CLOSE,
    CONNECTION_OPEN,
    CONNECTION_TLS,
    DATA_BLOCK,
    LINE_IN,
    LINE_OUT,
    Event,
)
from mailhost.events.wire_log import WireLog
from mailhost.events.wire_text import FULL_OCTETS, LONGEST_LINE, MOST_HEADER_LINES, MOST_LINES
from mailhost.ids import ConnectionId, Millis

Happening = tuple[str, dict[str, Any]]


def printed(*happenings: Happening, full: bool = False, protocol: str = "imap") -> list[str]:
    """What is printed of connection 7, behind the clock, the protocol and the number."""
    stream = io.StringIO()
    wire = WireLog(stream, full=full)
    for kind, fields in ((CONNECTION_OPEN, {"data": {"protocol": protocol}}), *happenings):
        wire(Event(Millis(0), kind, connection=ConnectionId(7), **fields))
    return [line.removeprefix(f"00:00:00.000 {protocol:4}    7 ") for line in stream.getvalue().split("\n")[1:-1]]


def server(octets: bytes) -> Happening:
    return LINE_OUT, {"direction": "S", "octets": octets}


def client(octets: bytes, **data: Any) -> Happening:
    return LINE_IN, {"direction": "C", "octets": octets, "data": data}


def mail(octets: bytes, direction: str = "C", **data: Any) -> Happening:
    return DATA_BLOCK, {"direction": direction, "octets": octets, "data": data}


CLOSED: Happening = (CONNECTION_CLOSE, {"cause": "quit"})
MESSAGE = b"Subject: hello\r\nTo: bob\r\n\r\nsecret text\r\n"
HEADER = ["Subject: hello", "To: bob", f"[{len(MESSAGE)} octets of a message]"]


def by(mark: str, lines: list[str]) -> list[str]:
    return [f"{mark} {line}" for line in lines]


def pieces(octets: bytes, size: int) -> list[bytes]:
    return [octets[at : at + size] for at in range(0, len(octets), size)]


def test_every_line_names_time_protocol_and_connection() -> None:
    stream = io.StringIO()
    wire = WireLog(stream)
    data = {"protocol": "pop3", "listener": "pop3s", "address": "192.0.2.1", "port": 4000, "tls": "TLSv1.3"}
    for number, (kind, fields) in enumerate(
        [(CONNECTION_OPEN, {"data": data}), client(b"QUIT"), server(b"+OK\r\n"), CLOSED]
    ):
        wire(Event(Millis(3_600_000 + number), kind, connection=ConnectionId(12), **fields))
    assert stream.getvalue().splitlines() == [
        "01:00:00.000 pop3   12 -- 192.0.2.1 port 4000 connects to pop3s, TLSv1.3",
        "01:00:00.001 pop3   12 C: QUIT",
        "01:00:00.002 pop3   12 S: +OK",
        "01:00:00.003 pop3   12 -- the connection ends: quit",
    ]


def test_two_connections_are_told_from_each_other() -> None:
    stream = io.StringIO()
    wire = WireLog(stream)
    for number, protocol in ((1, "smtp"), (2, "imap")):
        wire(Event(Millis(0), CONNECTION_OPEN, connection=ConnectionId(number), data={"protocol": protocol}))
    for number in (1, 2, 1):
        wire(Event(Millis(0), LINE_IN, connection=ConnectionId(number), direction="C", octets=b"x"))
    said = [line.split(" ", 1)[1] for line in stream.getvalue().splitlines()[2:]]
    assert said == ["smtp    1 C: x", "imap    2 C: x", "smtp    1 C: x"]


def test_the_begin_of_tls_is_told() -> None:
    assert printed((CONNECTION_TLS, {"data": {"tls": "TLSv1.3 X"}})) == ["-- TLS begins: TLSv1.3 X"]


def smtp_data(size: int) -> list[Happening]:
    return [*map(mail, pieces(MESSAGE, size)), client(b".")]


def chunk(size: int) -> list[Happening]:
    return [*map(mail, pieces(MESSAGE, size)), server(b"250 taken\r\n")]


def appended(size: int) -> list[Happening]:
    return [*map(mail, pieces(MESSAGE, size)), server(b"a OK\r\n")]


def retrieved(size: int) -> list[Happening]:
    return [*(mail(piece, "S") for piece in pieces(MESSAGE, size)), server(b".\r\n")]


def fetched(size: int) -> list[Happening]:
    octets = b"* 1 FETCH (BODY[] {%d}\r\n%b)\r\n" % (len(MESSAGE), MESSAGE)
    return [server(piece) for piece in pieces(octets, size)]


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("protocol", "way", "before", "mark", "after"),
    [
        ("smtp", smtp_data, [], "C:", ["C: ."]),
        ("smtp", chunk, [], "C:", ["S: 250 taken"]),
        ("imap", appended, [], "C:", ["S: a OK"]),
        ("pop3", retrieved, [], "S:", ["S: ."]),
        ("imap", fetched, [f"S: * 1 FETCH (BODY[] {{{len(MESSAGE)}}}"], "S:", ["S: )"]),
    ],
)
def test_a_message_is_its_header_and_its_size_in_every_protocol_whatever_the_pieces(
    size: int, protocol: str, way: Callable[[int], list[Happening]], before: list[str], mark: str, after: list[str]
) -> None:
    assert printed(*way(size), protocol=protocol) == before + by(mark, HEADER) + after
    whole = ["Subject: hello", "To: bob", "", "secret text", HEADER[-1]]
    assert printed(*way(size), protocol=protocol, full=True) == before + by(mark, whole) + after


@pytest.mark.parametrize(
    ("name", "shows_header"),
    [
        (b"BODY[]", True),
        (b"BODY[]<0>", True),
        (b"RFC822", True),
        (b"RFC822.HEADER", True),
        (b"BODY[HEADER]", True),
        (b"BODY[HEADER.FIELDS (FROM TO)]", True),
        (b"BODY[1.2.HEADER]", True),
        (b"BODY[1.MIME]", True),
        (b"BODY[]<100>", False),
        (b"BODY[TEXT]", False),
        (b"BODY[1]", False),
        (b"BODY[1.2]<0>", False),
        (b"RFC822.TEXT", False),
    ],
)
def test_of_a_part_without_a_header_only_the_size_is_shown(name: bytes, shows_header: bool) -> None:
    literal = b"* 1 FETCH (%b {%d}\r\n%b)\r\n" % (name, len(MESSAGE), MESSAGE)
    assert printed(server(literal))[1:] == [*by("S:", HEADER if shows_header else HEADER[-1:]), "S: )"]


def test_another_literal_is_shown_as_a_line_would_be() -> None:
    octets = b'* 1 FETCH (ENVELOPE (NIL {5}\r\na"b\\c NIL) BODY[TEXT] {0}\r\n)\r\n* 2 EXISTS\r\n'
    said = ['a"b\\c', " NIL) BODY[TEXT] {0}", "[0 octets of a message]", ")", "* 2 EXISTS"]
    assert printed(server(octets)) == by("S:", ["* 1 FETCH (ENVELOPE (NIL {5}", *said])


def test_a_number_in_braces_is_a_literal_in_imap_only() -> None:
    assert printed(server(b"+OK {3}\r\nabc\r\n.\r\n"), protocol="pop3") == by("S:", ["+OK {3}", "abc", "."])


def test_a_literal_of_the_client_is_shown() -> None:
    said = printed(client(b"a CREATE {7}"), server(b"+ OK\r\n"), client(b"a b\r\nc d"))
    assert said == ["C: a CREATE {7}", "S: + OK", "C: a b", "C: c d"]


def test_what_was_refused_is_counted_and_not_shown() -> None:
    said = printed(mail(b"", unseen=3), mail(b"", unseen=4), client(b"***"))
    assert said == ["C: [7 octets of something refused]", "C: ***"]


def test_a_chunk_that_begins_amid_a_message_shows_no_line_of_its_body() -> None:
    said = printed(mail(MESSAGE), server(b"250 a\r\n"), mail(b"secret: text\r\n", start=500), server(b"250 b\r\n"))
    assert said[len(HEADER) :] == ["S: 250 a", "C: [14 octets of a message]", "S: 250 b"]


def test_a_message_that_is_cut_off_is_told_at_the_end() -> None:
    said = printed(mail(b"Subject: x\r\nTo: b"), CLOSED)
    assert said == ["C: Subject: x", "C: To: b", "C: [17 octets of a message]", "-- the connection ends: quit"]
    assert printed(server(b"* 1 FETCH (BODY[] {90}\r\nA: b\r\n"), CLOSED)[1:-1] == [
        "S: A: b",
        "S: [6 octets of a message]",
    ]


def test_a_line_in_two_writes_is_one_line() -> None:
    assert printed(server(b"* SEARCH 1 "), server(b"2\r\na OK\r\n")) == ["S: * SEARCH 1 2", "S: a OK"]


def test_an_empty_line_of_its_own_is_shown() -> None:
    assert printed(server(b"a\r\n"), server(b"\r\n")) == ["S: a", "S: "]


@pytest.mark.parametrize("more", [1, 2, 3000])
def test_a_long_line_is_cut_and_says_so(more: int) -> None:
    line = b"x" * (LONGEST_LINE + more)
    said = ["x" * LONGEST_LINE, f"[{more} octets more in this line]"]
    assert printed(server(line + b"\r\n")) == by("S:", said)
    assert printed(client(line)) == by("C:", said)
    assert printed(*(server(piece) for piece in pieces(line + b"\r\n", 999))) == by("S:", said)


def test_a_line_as_long_as_may_be_is_not_cut() -> None:
    assert printed(server(b"x" * LONGEST_LINE + b"\r\n")) == ["S: " + "x" * LONGEST_LINE]


def test_a_literal_is_found_behind_a_long_line() -> None:
    octets = b"* 1 FETCH (%b BODY[] {%d}\r\n%b)\r\n" % (b"x" * 9000, len(MESSAGE), MESSAGE)
    assert printed(server(octets))[2:] == by("S:", [*HEADER, ")"])


def test_a_line_that_the_server_did_not_read_to_its_end_says_so() -> None:
    assert printed(client(b"NOOP xx", cut=True)) == [
        "C: NOOP xx",
        "C: [this line is too long: it is not read to its end]",
    ]


def test_of_a_long_listing_the_first_lines_are_shown_and_its_literals_are_still_found() -> None:
    rows = b"".join(b"* %d FETCH (BODY[TEXT] {3}\r\nabc)\r\n" % number for number in range(MOST_LINES))
    said = printed(server(rows), server(b"a OK\r\n"))
    assert len(said) == MOST_LINES + 2
    assert said[-2:] == [f"S: [{2 * MOST_LINES} lines more]", "S: a OK"]


def test_of_a_long_header_the_first_lines_are_shown() -> None:
    header = b"".join(b"X-%d: y\r\n" % number for number in range(MOST_HEADER_LINES + 5))
    said = printed(mail(header), client(b"."))
    assert said[MOST_HEADER_LINES:] == by(
        "C:", ["[more lines of the header]", f"[{len(header)} octets of a message]", "."]
    )


def test_all_of_a_message_has_a_bound_too() -> None:
    body = b"0123456789abcdef\r\n" * 5000
    said = printed(*map(mail, pieces(body, 4096)), client(b"."), full=True)
    assert sum(map(len, said[:-2])) < FULL_OCTETS + 10 * len(said)
    assert said[-2:] == [f"C: [{len(body)} octets of a message]", "C: ."]


@pytest.mark.parametrize("octets", [b"\x1b[2J\x07", b"\xff\xfe\x80", "\u202e\u200f\x9b".encode(), b"a\rb\x00"])
def test_no_control_character_reaches_the_terminal(octets: bytes) -> None:
    for said in (
        printed(client(octets), server(octets + b"\r\n"), mail(b"A: " + octets + b"\r\n"), CLOSED),
        printed(mail(octets), mail(octets, "S"), CLOSED, full=True),
    ):
        assert all(line.isprintable() for line in said), said


def test_a_tab_stays_one() -> None:
    assert printed(mail(b"A: b\r\n\tc\r\n"))[1] == "C: \tc"


def test_the_log_forgets_a_connection_that_is_closed() -> None:
    said = printed(server(b"unended"), CLOSED, server(b"x\r\n"))
    assert said[:2] == ["S: unended", "-- the connection ends: quit"]
    assert said[2].endswith("         7 S: x")
