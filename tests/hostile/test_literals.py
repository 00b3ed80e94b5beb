"""Literals in IMAP (CVE-2024-34055, CVE-2024-37358, CVE-2025-61600): announced at will, taken within bounds."""

from contextlib import ExitStack

import pytest

from tests.hostile.talk import greeted, imap, serves_others
from tests.service import Server

pytestmark = pytest.mark.service

MIB = 1 << 20
HUGE = [b"{4294967295+}", b"{4294967296+}", b"{18446744073709551616+}", b"{99999999999999999999+}"]
NONE = [
    b"{-1}",
    b"{+}",
    b"{}",
    b"{1 }",
    b"{ 1}",
    b"{0x10}",
    b"{1++}",
    b"{1-}",
    b"{1e9}",
    b"{" + b"9" * 30_000 + b"+}",
    b"{1",
]
COMMANDS = [
    "CAPABILITY",
    "NOOP",
    "LOGOUT",
    "STARTTLS",
    "AUTHENTICATE",
    "LOGIN",
    "SELECT",
    "EXAMINE",
    "CREATE",
    "DELETE",
    "RENAME",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "LIST",
    "LSUB",
    "STATUS",
    "APPEND",
    "CHECK",
    "CLOSE",
    "EXPUNGE",
    "SEARCH",
    "FETCH",
    "STORE",
    "COPY",
    "UID",
    "IDLE",
    "MOVE",
    "ID",
    "ENABLE",
    "NAMESPACE",
    "UNSELECT",
    "XYZZY",
]


@pytest.mark.parametrize("login", [False, True], ids=["before login", "after"])
@pytest.mark.parametrize("verb", [b"LOGIN", b"SELECT", b"SEARCH SUBJECT", b"APPEND INBOX", b"NOOP", b"XYZZY"])
@pytest.mark.parametrize("literal", HUGE)
def test_a_huge_literal_that_was_not_asked_for_ends_the_conversation_and_takes_no_memory(
    victim: Server, verb: bytes, literal: bytes, login: bool
) -> None:
    """What comes behind cannot be told from commands (RFC 7888 section 4): the command is refused, then the literal; and the end."""
    before = victim.resident_octets()
    with imap(victim, login=login) as client:
        client.send(b"a %b %b\r\n" % (verb, literal))
        client.send(b"b NOOP\r\n" * 8_000)
        said = client.rest()
        assert b"b OK" not in said
        assert len(said.splitlines()) <= 3, said  # two that are refused, and BYE
        assert victim.resident_octets() - before < 16 * MIB


@pytest.mark.parametrize("literal", [each.replace(b"+", b"") for each in HUGE])
def test_a_huge_literal_that_waits_for_leave_gets_none(victim: Server, literal: bytes) -> None:
    with imap(victim, login=False) as client:
        for verb in (b"LOGIN", b"XYZZY", b"SELECT", b"NOOP", b"AUTHENTICATE"):
            assert client.tagged(b"a %b %b\r\n" % (verb, literal)).startswith(b"a BAD "), verb
        assert client.tagged(b"b NOOP\r\n").startswith(b"b OK")
    with imap(victim) as client:
        for verb in (b"SELECT", b"CREATE", b"LIST", b"STATUS", b"SEARCH SUBJECT", b"XYZZY", b"NOOP", b"UID XYZZY"):
            assert client.tagged(b"a %b %b\r\n" % (verb, literal)).startswith(b"a BAD "), verb
        assert client.tagged(b"a APPEND INBOX %b\r\n" % literal).startswith(b"a NO [TOOBIG] ")
        assert client.tagged(b"b NOOP\r\n").startswith(b"b OK")


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_literal_is_a_syntax_error_and_the_session_goes_on(victim: Server, text: bytes) -> None:
    with imap(victim) as client:
        assert client.tagged(b"a SELECT %b\r\n" % text).startswith(b"a BAD ")
        assert client.tagged(b"b NOOP\r\n").startswith(b"b OK")


@pytest.mark.parametrize("login", [False, True], ids=["before login", "after"])
@pytest.mark.parametrize("verb", [b"LOGIN", b"ID (", b"SEARCH", b"STORE 1 FLAGS"])
def test_ten_thousand_literals_in_one_command_are_cut_off(victim: Server, verb: bytes, login: bool) -> None:
    before = victim.resident_octets()
    with imap(victim, selected="INBOX" * login, login=login) as client:
        client.send(b"a %b" % verb + b" {0+}\r\n" * 10_000 + b" x\r\nz NOOP\r\n")
        said = client.whole(b"y NOOP\r\n")
        assert said.count(b"a BAD ") <= 1
        assert b"Traceback" not in said
        assert victim.resident_octets() - before < 16 * MIB


def test_ten_thousand_literals_asked_for_one_by_one_are_cut_off(victim: Server) -> None:
    """The line's own limit counts over all pieces of a command."""
    with imap(victim) as client:
        assert client.tagged(b"a SEARCH OR SUBJECT {1}\r\n").startswith(b"a BAD ")  # no mailbox is selected
        assert client.tagged(b"b SELECT INBOX\r\n").startswith(b"b OK")
        client.send(b"c SEARCH OR SUBJECT {1}\r\n")
        asked = 0
        while client.line().startswith(b"+ "):
            asked += 1
            client.send(b"x OR SUBJECT {1}\r\n")
            assert asked < 10_000
        assert client.tagged(b"d NOOP\r\n").startswith(b"d OK")


@pytest.mark.parametrize("login", [False, True], ids=["before login", "after"])
@pytest.mark.parametrize("verb", COMMANDS)
def test_a_literal_in_any_command_is_read_or_refused_and_never_run(victim: Server, verb: str, login: bool) -> None:
    """Its octets look like a command; the end of input ends all."""
    with imap(victim, login=login) as client:
        client.send(f"a {verb} {{9+}}\r\nz1 NOOP\r\n x\r\n".encode())
        client.send(f"b {verb} {{9}}\r\n".encode())
        client.send(b"c LOGOUT\r\n" * 3)
        said = client.rest()
        assert b"z1 " not in said
        assert b"Traceback" not in said


def test_before_login_many_literals_hold_little(victim: Server) -> None:
    """45 clients fill what they may have, and wait."""
    before = victim.resident_octets()
    with ExitStack() as stack:
        for _ in range(45):
            client = stack.enter_context(greeted(victim, "imap"))
            client.send(b"a ID (" + b" {1000+}\r\n" + b"x" * 1000 + b" {1000+}\r\n" * 7 + b"x" * 999)
        serves_others(victim)
        assert victim.resident_octets() - before < 8 * MIB
