"""The edges of UIDs, message numbers and UIDVALIDITY (RFC 3501 sections 2.3.1, 9; RFC 1939 section 9)."""

import pytest

from tests.hostile.talk import Client, append, imap, pop3
from tests.service import Server

pytestmark = pytest.mark.service

LARGEST = 4_294_967_295
OUTSIDE = [
    b"0",
    b"4294967296",
    b"18446744073709551616",
    b"-1",
    b"+1",
    b"1:0",
    b"0:*",
    b"1:4294967296",
    b"**",
    b"1:2:3",
    b"1;2",
    b"1,",
    b",1",
    b"*:*:*",
    b"1 :2",
]
AT_THE_EDGE = [
    b"4294967295",
    b"4294967295:*",
    b"*:4294967295",
    b"1:4294967295",
    b"4294967294:4294967295",
    b"*",
    b"*:*",
    b"*,4294967295",
    b"*,1:*,4294967295",
]


def made(client: Client, name: bytes, messages: int) -> None:
    """A mailbox with so many messages, selected."""
    assert client.tagged(b"c CREATE %b\r\n" % name).startswith(b"c OK ")
    for number in range(messages):
        append(client, name, b"Subject: %d\r\n\r\nbody\r\n" % number)
    assert client.tagged(b"s SELECT %b\r\n" % name).startswith(b"s OK ")


def unmade(client: Client, name: bytes) -> None:
    assert client.tagged(b"d DELETE %b\r\n" % name).startswith(b"d OK ")


@pytest.mark.parametrize("messages", [0, 3])
def test_numbers_outside_of_the_grammar_are_a_syntax_error(victim: Server, messages: int) -> None:
    name = b"Edge%d" % messages
    with imap(victim) as client:
        made(client, name, messages)
        for numbers in OUTSIDE:
            for command in (
                b"FETCH %b FLAGS",
                b"UID FETCH %b FLAGS",
                b"STORE %b FLAGS ()",
                b"UID COPY %b INBOX",
                b"UID SEARCH UID %b",
            ):
                assert client.tagged(b"a " + command % numbers + b"\r\n").startswith(b"a BAD "), (command, numbers)
                assert client.tagged(b"n NOOP\r\n").startswith(b"n OK ")
        unmade(client, name)


@pytest.mark.parametrize("messages", [0, 3])
def test_uids_at_the_edge_are_no_error(victim: Server, messages: int) -> None:
    """A UID that is not there is silently nothing; `*` is the last message, and none where there is none (RFC 3501 section 6.4.8)."""
    name = b"Uids%d" % messages
    with imap(victim) as client:
        made(client, name, messages)
        for uids in AT_THE_EDGE:
            said = client.whole(b"a UID FETCH %b (UID)\r\n" % uids)
            assert said.rpartition(b"\n")[2].startswith(b"a OK ")
            wanted = messages if uids.startswith(b"1:") or b",1:" in uids else int(bool(messages) and b"*" in uids)
            assert said.count(b"FETCH (UID ") == wanted, (uids, said)
            for command in (
                b"UID STORE %b +FLAGS (\\Seen)",
                b"UID EXPUNGE %b",
                b"UID SEARCH UID %b",
                b"UID COPY %b Archive",
            ):
                assert client.tagged(b"b " + command % uids + b"\r\n").startswith(b"b OK "), (command, uids)
        unmade(client, name)


@pytest.mark.parametrize("numbers", AT_THE_EDGE)
def test_message_numbers_in_an_empty_mailbox_are_none(victim: Server, numbers: bytes) -> None:
    """Clients ask for 1:* before they look at EXISTS: that is no error, and nothing is done."""
    with imap(victim) as client:
        made(client, b"Empty", 0)
        for command in (b"FETCH %b FLAGS", b"STORE %b +FLAGS (\\Deleted)", b"COPY %b INBOX", b"MOVE %b INBOX"):
            said = client.whole(b"a " + command % numbers + b"\r\n")
            assert said.startswith(b"a OK "), (command, said)  # and nothing before it
        assert client.whole(b"b UID SEARCH ALL\r\n").startswith(b"* SEARCH\r\n")
        unmade(client, b"Empty")


def test_a_mailbox_made_again_is_another(victim: Server) -> None:
    """However fast: no UIDVALIDITY comes twice (RFC 3501 section 2.3.1.1)."""
    seen = []
    with imap(victim) as client:
        for _ in range(5):
            made(client, b"Again", 1)
            said = client.whole(b"a STATUS Again (UIDVALIDITY UIDNEXT)\r\n")
            seen.append(said.split(b"UIDVALIDITY ")[1].split()[0].strip(b")"))
            assert client.tagged(b"r RENAME Again Before\r\n").startswith(b"r OK ")
            unmade(client, b"Before")
    assert len(set(seen)) == len(seen)
    assert all(0 < int(each) <= LARGEST for each in seen)


def test_sizes_and_partials_at_the_edge(victim: Server) -> None:
    with imap(victim) as client:
        made(client, b"Sizes", 1)
        for octets, answer in ((b"4294967295", b"a OK "), (b"4294967296", b"a BAD "), (b"-1", b"a BAD ")):
            assert client.tagged(b"a SEARCH LARGER %b\r\n" % octets).startswith(answer)
        for partial, answer in (
            (b"<4294967295.4294967295>", b"a OK "),
            (b"<0.4294967295>", b"a OK "),
            (b"<0.0>", b"a BAD "),
            (b"<4294967296.1>", b"a BAD "),
            (b"<-1.1>", b"a BAD "),
            (b"<1>", b"a BAD "),
        ):
            said = client.whole(b"a FETCH 1 BODY.PEEK[]%b\r\n" % partial)
            assert said.rpartition(b"\n")[2].startswith(answer), partial
        for part in (b"4294967295", b"4294967296", b"0", b"1.0", b"99999.MIME", b"1.HEADER"):
            said = client.whole(b"a FETCH 1 BODY.PEEK[%b]\r\n" % part)
            assert said.rpartition(b"\n")[2].startswith((b"a OK ", b"a BAD ")), part
        unmade(client, b"Sizes")


@pytest.mark.parametrize(
    "number",
    [b"0", b"-1", b"+1", b"4294967295", b"4294967296", b"9999999999", b"99999999999", b"1.0", b"0x1", b"\xd9\xa1", b""],
)
def test_pop3_has_no_such_message(victim: Server, number: bytes) -> None:
    with pop3(victim) as client:
        for command in (b"RETR", b"DELE", b"TOP", b"LIST", b"UIDL"):
            if not number and command in (b"LIST", b"UIDL"):
                continue
            lines = b" 0" if command == b"TOP" else b""
            assert client.ask(b"%b %b%b\r\n" % (command, number, lines)).startswith(b"-ERR "), command
            assert client.ask(b"NOOP\r\n").startswith(b"+OK")
        assert client.ask(b"RSET\r\n").startswith(b"+OK")
