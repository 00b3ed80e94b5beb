"""The wire log says who said what, in which protocol, and makes up no line."""

import io
from typing import Any

from mailhost.events.event import CONNECTION_CLOSE, CONNECTION_OPEN, DATA_BLOCK, LINE_IN, LINE_OUT, Event
from mailhost.events.sinks import LONGEST_SHOWN, WireLog
from mailhost.ids import ConnectionId, Millis


def printed(*events: tuple[str, dict[str, Any]]) -> list[str]:
    """What is printed behind the clock for events of connection 7."""
    stream = io.StringIO()
    wire = WireLog(stream)
    for kind, fields in events:
        wire(Event(Millis(0), kind, connection=ConnectionId(7), **fields))
    return [line.removeprefix("00:00:00.000 ") for line in stream.getvalue().splitlines()]


def server(octets: bytes) -> tuple[str, dict[str, Any]]:
    return LINE_OUT, {"direction": "S", "octets": octets}


OPENED = (CONNECTION_OPEN, {"data": {"protocol": "pop3"}})


def test_every_line_of_a_connection_names_its_protocol() -> None:
    said = printed(
        OPENED,
        (LINE_IN, {"direction": "C", "octets": b"QUIT"}),
        server(b"+OK\r\n"),
        (CONNECTION_CLOSE, {"cause": "quit"}),
    )
    assert said == [
        "pop3    7 -- conn.open protocol=pop3",
        "pop3    7 C: QUIT",
        "pop3    7 S: +OK",
        "pop3    7 -- conn.close  quit",
    ]


def test_a_message_is_counted_and_stands_with_who_sent_it() -> None:
    said = printed(
        OPENED,
        (DATA_BLOCK, {"direction": "C", "octets": b"12345"}),
        (DATA_BLOCK, {"direction": "S", "data": {"octets": 376}}),
    )
    assert said[1:] == ["pop3    7 C: [5 octets of a message]", "pop3    7 S: [376 octets of a message]"]


def test_a_line_that_comes_in_two_writes_ends_once() -> None:
    said = printed(OPENED, server(b"* 1 FETCH (BODY[] {2}\r\nab)"), server(b"\r\n"), server(b"a OK\r\n"))
    assert said[1:] == ["pop3    7 S: * 1 FETCH (BODY[] {2}", "pop3    7 S: ab)", "pop3    7 S: a OK"]


def test_an_empty_line_of_its_own_is_shown() -> None:
    assert printed(OPENED, server(b"a\r\n"), server(b"\r\n"))[1:] == ["pop3    7 S: a", "pop3    7 S: "]


def test_a_long_one_is_cut_and_says_so() -> None:
    said = printed(OPENED, server(b"x" * (LONGEST_SHOWN + 3) + b"\r\n"))
    assert said[1:] == [f"pop3    7 S: {'x' * LONGEST_SHOWN}", "pop3    7 S: [5 octets more]"]


def test_the_log_forgets_a_connection_that_is_closed() -> None:
    said = printed(OPENED, server(b"unended"), (CONNECTION_CLOSE, {}), server(b"\r\n"))
    assert said[-1] == "        7 S: "
