"""A second message inside the first (CVE-2023-51764 and its kin): only CRLF.CRLF ends data, on the way in and on the way out."""

from pathlib import Path

import pytest

from tests.hostile.talk import append, begin, deliver, hello, imap, messages_of, pop3
from tests.service import Server, serving

pytestmark = pytest.mark.service

BOB = "bob@example.org"
CRLF = b"\r\n"
NOT_ENDS = [
    b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\n\n.\n\n", b"\r\r\n.\r\r\n",
    b"\0\r\n.\0\r\n", b"\r\n\0.\r\n", b"\r\n.\0\r\n", b"\r\0\n.\r\0\n", b"\r\n\x85.\n", b"\n.\r\n.\n",
]  # fmt: skip
SECOND = b"MAIL FROM:<eve@example.net>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nsmuggled\r\n.\r\nQUIT\r\n"


def smuggled(not_end: bytes) -> bytes:
    return b"Subject: first\r\n\r\nfirst" + not_end + SECOND


@pytest.mark.parametrize("not_end", NOT_ENDS)
def test_what_is_no_end_smuggles_nothing_in(victim: Server, not_end: bytes) -> None:
    """The data ends at the second's own dot, and the whole is refused: one reply, then the one to QUIT."""
    before = messages_of(victim, BOB)
    with hello(victim) as client:
        begin(client)
        client.send(smuggled(not_end))
        assert client.reply().startswith(b"550 5.6.0 ")
        assert client.rest().startswith(b"221 ")
    assert messages_of(victim, BOB) == before


@pytest.mark.parametrize("not_end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\r", b"\r\n.\0\r\n"])
def test_packets_that_end_within_it_change_nothing(victim: Server, not_end: bytes) -> None:
    before = messages_of(victim, BOB)
    for cut in range(len(not_end) + 1):
        with hello(victim) as client:
            begin(client)
            client.send(b"Subject: first\r\n\r\nfirst" + not_end[:cut])
            client.send(not_end[cut:] + SECOND)
            assert client.reply().startswith(b"550 5.6.0 ")
            assert client.rest().startswith(b"221 ")
    assert messages_of(victim, BOB) == before


def test_where_bare_newlines_are_mended_it_is_one_message_still(tmp_path: Path) -> None:
    """And that one has no line "." of its own which a next host could take for the end: it is stuffed again on the way out."""
    with serving(tmp_path / "data", "smtp.bare_newlines=normalise") as server:
        accepted = 0
        before = messages_of(server, BOB)
        for not_end in NOT_ENDS:
            with hello(server) as client:
                begin(client)
                client.send(smuggled(not_end))
                accepted += client.reply().startswith(b"250 ")
                assert client.rest().startswith(b"221 ")
        assert accepted == sum(b"\0" not in each for each in NOT_ENDS)
        assert messages_of(server, BOB) == before + accepted


@pytest.mark.parametrize("command", [b"RETR %d\r\n", b"TOP %d 100\r\n"])
def test_what_was_appended_with_bare_newlines_leaves_pop3_as_one_response(victim: Server, command: bytes) -> None:
    """CRLF only, each dot at a line's beginning stuffed, and one end; so will relay send it."""
    for not_end in NOT_ENDS:
        if b"\0" in not_end:
            continue
        content = smuggled(not_end)
        with imap(victim) as client:
            append(client, b"INBOX", content)
        with pop3(victim) as client:
            last = int(client.ask(b"STAT\r\n").split()[1])
            text = client.listing(command % last)
            assert b"\r" not in text.replace(CRLF, b"")
            assert b"\n" not in text.replace(CRLF, b"")
            assert all(line.startswith(b"..") for line in text.split(CRLF) if line.startswith(b"."))
            assert client.ask(b"DELE %d\r\n" % last).startswith(b"+OK")
            assert client.ask(b"QUIT\r\n").startswith(b"+OK")


def test_nothing_that_was_pipelined_behind_a_refused_data_is_data(victim: Server) -> None:
    before = messages_of(victim, BOB)
    with hello(victim) as client:
        client.send(b"MAIL FROM:<eve@example.net>\r\nRCPT TO:<nobody@example.org>\r\nDATA\r\n" + SECOND)
        said = client.rest()
    assert b"\r\n550 5.1.1 " in said
    assert said.count(b"354 ") == 1  # the second's own
    assert messages_of(victim, BOB) == before + 1
    assert deliver(victim, b"Subject: next\r\n\r\n").startswith(b"250 ")
