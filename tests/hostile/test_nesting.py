"""Depth and length (CVE-2026-27857, CVE-2021-40110): parentheses, keys, items and tokens by the million; answered in linear time."""

import pytest

from mailhost.imap import utf7
from tests.hostile.talk import imap, pop3, submitted
from tests.service import Server

pytestmark = pytest.mark.service

MILLION = 1_000_000
DEEP = {
    "a million parentheses": b"SEARCH " + b"(" * MILLION,
    "a million pairs": b"SEARCH " + b"()" * MILLION,
    "a million parentheses in FETCH": b"FETCH 1 " + b"(" * MILLION,
    "a million items": b"FETCH 1 (" + b"FLAGS " * MILLION + b"FLAGS)",
    "a million flags": b"STORE 1 FLAGS (" + b"\\Seen " * MILLION + b")",
    "a million ranges": b"FETCH 1" + b",1" * MILLION + b" FLAGS",
    "a megabyte of a keyword": b"STORE 1 FLAGS (" + b"k" * MILLION + b")",
    "a megabyte of a name": b"SELECT " + b"n" * MILLION,
    "a megabyte of quotes": b"SELECT " + b'"' * MILLION,
    "a megabyte of backslashes": b'SELECT "' + b"\\" * MILLION + b'"',
    "a megabyte of stars": b'LIST "" ' + b"*" * MILLION,
    "a megabyte of digits": b"FETCH " + b"9" * MILLION + b" FLAGS",
}
BELOW_THE_LIMIT = {
    "60,000 parentheses": b"SEARCH " + b"(" * 60_000,
    "30,000 pairs": b"SEARCH " + b"()" * 30_000,
    "60,000 parentheses in FETCH": b"FETCH 1 " + b"(" * 60_000,
    "16,000 NOTs": b"SEARCH " + b"NOT " * 16_000 + b"ALL",
    "20,000 ORs": b"SEARCH " + b"OR " * 20_000 + b"ALL",
    "8,000 balanced ORs": b"SEARCH " + b"OR ALL " * 8_000 + b"ALL",
    "12,000 keys": b"SEARCH " + b"SEEN " * 12_000 + b"ALL",
    "51 NOTs": b"SEARCH " + b"NOT " * 51 + b"ALL",
    "10,000 items": b"FETCH 1 (" + b"FLAGS " * 10_000 + b"FLAGS)",
    "9,000 flags": b"STORE 1 FLAGS (" + b"\\Seen " * 9_000 + b"\\Seen)",
    "30,000 ranges": b"FETCH 1" + b",1" * 30_000 + b" FLAGS",
    "20,000 fields": b"FETCH 1 BODY[HEADER.FIELDS (" + b"a " * 20_000 + b"a)]",
    "30,000 part numbers": b"FETCH 1 BODY[1" + b".1" * 30_000 + b"]",
    "a keyword of 60,000": b"STORE 1 FLAGS (" + b"k" * 60_000 + b")",
    "a name of 60,000": b"CREATE " + b"n" * 60_000,
    "a name of 30,000 levels": b"CREATE a" + b"/a" * 30_000,
    "60,000 quotes": b"SELECT " + b'"' * 60_000,
    "60,000 backslashes": b'SELECT "' + b"\\" * 60_000,
    "an ampersand of 60,000": b"SELECT &" + b"A" * 60_000 + b"-",
    "30,000 ampersands": b"SELECT " + b"&-" * 30_000,
    "a name of 20,000 accents": b"CREATE " + utf7.encode("a" + "\u0301\u0327" * 10_000),
    "a pattern of 20,000 accents": b'LIST "" ' + utf7.encode("a" + "\u0301\u0327" * 10_000),
    "STATUS of 20,000 accents": b"STATUS " + utf7.encode("a" + "\u0301\u0327" * 10_000) + b" (MESSAGES)",
    "60,000 stars": b'LIST "" ' + b"*" * 60_000,
    "a pattern of 30,000": b'LIST "" ' + b"%a" * 30_000,
    "60,000 digits": b"FETCH " + b"9" * 60_000 + b" FLAGS",
    "a partial of 60,000": b"FETCH 1 BODY[]<" + b"9" * 60_000 + b".1>",
    "a date of 60,000": b"SEARCH SINCE " + b"1" * 60_000,
    "ID of 15,000": b"ID (" + b'"a" ""' * 7_500 + b")",
    "ID in ID": b"ID (" * 10_000,
    "STATUS of 4,000": b"STATUS INBOX (" + b"MESSAGES " * 6_000 + b"UNSEEN)",
    "60,000 blanks": b"SELECT" + b" " * 60_000 + b"x",
    "UID UID UID": b"UID " * 15_000,
}


def still_answers(client: object) -> None:
    assert client.tagged(b"z NOOP\r\n").startswith(b"z OK")  # type: ignore[attr-defined]  # a Client


@pytest.mark.parametrize("text", DEEP.values(), ids=DEEP)
def test_a_megabyte_of_it_is_a_line_too_long_and_the_session_goes_on(victim: Server, text: bytes) -> None:
    with imap(victim, selected="INBOX") as client:
        client.send(b"a " + text + b"\r\n")
        assert client.line().startswith(b"a BAD The line is too long")
        still_answers(client)


@pytest.mark.parametrize("text", BELOW_THE_LIMIT.values(), ids=BELOW_THE_LIMIT)
def test_as_much_as_a_line_may_hold_is_refused_or_carried_out_at_once(victim: Server, text: bytes) -> None:
    """`victim` fails where the loop was blocked meanwhile."""
    with imap(victim, selected="INBOX") as client:
        assert client.tagged(b"a " + text + b"\r\n").startswith((b"a BAD ", b"a NO ", b"a OK ")), text[:40]
        still_answers(client)


def test_a_tag_of_a_megabyte_is_no_tag(victim: Server) -> None:
    """It is not repeated either."""
    with imap(victim) as client:
        for tag in (b"t" * MILLION, b"t" * 60_000, b"t" * 256):
            client.send(tag + b" NOOP\r\n")
            assert client.line().startswith(b"* BAD ")
        still_answers(client)


@pytest.mark.parametrize("word", [b"SUBJECT", b"TEXT", b"BODY", b"HEADER x", b"FROM"])
def test_a_search_for_ever_longer_texts_is_cut_off(victim: Server, word: bytes) -> None:
    with imap(victim, selected="INBOX") as client:
        for octets in (1_000, 1_001, 60_000):
            said = client.tagged(b"a SEARCH %b %b\r\n" % (word, b"x" * octets))
            assert said.startswith(b"a OK" if octets == 1_000 else b"a BAD "), octets
        assert client.tagged(b"b SEARCH" + b" %b x" % word * 999 + b"\r\n").startswith(b"b OK")
        assert client.tagged(b"c SEARCH" + b" %b x" % word * 1_001 + b"\r\n").startswith(b"c BAD ")


@pytest.mark.parametrize(
    "text",
    [b"RETR " + b"1" * 8_000, b"TOP 1 " + b"9" * 8_000, b"LIST" + b" 1" * 4_000, b"UIDL " + b"0" * 8_000, b"U" * 8_000],
)
def test_pop3_refuses_long_arguments(victim: Server, text: bytes) -> None:
    with pop3(victim) as client:
        assert client.ask(text + b"\r\n").startswith(b"-ERR ")
        assert client.ask(b"NOOP\r\n").startswith(b"+OK")


@pytest.mark.parametrize(
    "text",
    [
        b"MAIL FROM:<" + b"@a," * 3_000 + b"@a:b@c>",
        b"MAIL FROM:<" + b'"' * 9_000,
        b'MAIL FROM:<"' + b"\\" * 9_000 + b'"@x>',
        b"MAIL FROM:<" + b"a." * 4_000 + b"a@x>",
        b"MAIL FROM:<a@" + b"x." * 4_000 + b"x>",
        b"MAIL FROM:<a@x>" + b" A=1" * 2_500,
        b"MAIL FROM:<a@x> SIZE=" + b"9" * 9_000,
        b"MAIL FROM:<a@x> AUTH=" + b"+41" * 3_000,
        b"MAIL FROM:" + b"<" * 9_000,
        b"EHLO " + b"a." * 5_000,
        b"EHLO [" + b"1." * 5_000 + b"]",
        b"VRFY " + b"(" * 9_000,
    ],
)
def test_smtp_refuses_long_arguments(victim: Server, text: bytes) -> None:
    with submitted(victim) as client:
        assert client.ask(text + b"\r\n")[:1] in b"52"
        assert client.ask(b"NOOP\r\n").startswith(b"250 ")
