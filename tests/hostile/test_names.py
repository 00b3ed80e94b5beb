"""Mailbox names: paths, spellings, letters that look like others, octets that are cut; and what is not one's own."""

import pytest

from mailhost.imap import utf7
from tests.hostile.talk import Client, imap
from tests.service import Server

pytestmark = pytest.mark.service

PATHS = [
    "../x", "..", ".", "/etc", "/", "//", "a//b", "a/../../b", "~", "~root", "a/~root", "INBOX/..", "INBOX/../x", "a/./b",
    "/".join("a" * 1_000), "x" * 1_001, "%", "*", "a%b", "",
]  # fmt: skip
NOT_UTF7 = [
    b"&AGE-", b"&AGEAYg-", b"&AC8-", b"&AC4ALg-", b"&ACY-", b"&AEkATgBCAE8AWA-", b"&2D0-", b"&3gA-", b"&3gDYPQ-", b"&2D3eA",
    b"&Jjo", b"&Jjo!-", b"&AA-", b"&AOQ-&AOQ-", b"&AOR-", b"&AOQA-", b"&//8", b"&/AAA-", b"&A-", b"&AO Q-", b"&=-", b"&",
    b"a&", b"&&-", b"&AOQ=-", b"&BBUEQgRC",
]  # fmt: skip
INVISIBLE = [
    "a\x00b",
    "a\r\nb",
    "a\tb",
    "\x7f",
    "\x85",
    "a\u202egnp.exe",
    "\u2066a\u2069",
    "\u200bINBOX",
    "\ufeffINBOX",
    "a\u00adb",
    "\u2028",
]
COMMANDS = ["SELECT {0}", "EXAMINE {0}", "CREATE {0}", "DELETE {0}", "SUBSCRIBE {0}", "STATUS {0} (MESSAGES)"]


def quoted(octets: bytes) -> bytes:
    return b'"%b"' % octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def names(client: Client) -> list[bytes]:
    said = client.whole(b'n LIST "" "*"\r\n').splitlines()
    return sorted(line.split(b' "/" ', 1)[1] for line in said if line.startswith(b"* LIST"))


def folders(server: Server) -> set[str]:
    """All there is in the data folder and beside it, but for blobs and the database's own files."""
    found = map(str, server.data.parent.rglob("*"))
    return {path for path in found if "/blobs/" not in path and "mailhost.db" not in path}


@pytest.mark.parametrize("path", PATHS)
def test_a_path_is_no_name_and_leads_nowhere(victim: Server, path: str) -> None:
    before = folders(victim)
    name = quoted(path.encode())
    with imap(victim) as client:
        known = names(client)
        for command in ("CREATE", "RENAME Archive"):
            said = client.tagged(b"a %b %b\r\n" % (command.encode(), name))
            assert said.startswith((b"a NO [CANNOT] ", b"a BAD ")) or path == "/", (command, said)
        for command in ("SELECT", "EXAMINE", "DELETE", "RENAME", "SUBSCRIBE"):
            more = b" y" if command == "RENAME" else b""
            assert client.tagged(b"b %b %b%b\r\n" % (command.encode(), name, more)).startswith((b"b NO ", b"b BAD "))
        client.send(b"c APPEND %b {4+}\r\nx: y\r\n" % name)
        assert client.line().startswith((b"c NO ", b"c BAD "))
        assert client.tagged(b"d COPY 1 %b\r\n" % name).startswith(b"d BAD ")
        assert names(client) == known
    assert folders(victim) == before


@pytest.mark.parametrize("octets", NOT_UTF7)
def test_a_name_has_one_spelling_in_modified_utf7(victim: Server, octets: bytes) -> None:
    """RFC 3501 section 5.1.3: another would be another mailbox for whoever compares octets."""
    with imap(victim) as client:
        known = names(client)
        for command in COMMANDS:
            said = client.tagged(b"a " + command.encode().replace(b"{0}", quoted(octets)) + b"\r\n")
            assert said.startswith((b"a BAD ", b"a NO ")), said
        assert names(client) == known


@pytest.mark.parametrize("name", INVISIBLE)
def test_what_nobody_sees_or_what_turns_the_text_is_in_no_name(victim: Server, name: str) -> None:
    with imap(victim) as client:
        known = names(client)
        written = quoted(utf7.encode(name))
        assert client.tagged(b"a CREATE %b\r\n" % written).startswith(b"a NO [CANNOT] ")
        assert client.tagged(b"b RENAME Archive %b\r\n" % written).startswith(b"b NO [CANNOT] ")
        assert client.tagged(b"c SELECT %b\r\n" % written).startswith(b"c NO [NONEXISTENT] ")
        assert names(client) == known


def test_inbox_is_one_mailbox_in_any_case_and_in_no_other_letters(victim: Server) -> None:
    with imap(victim) as client:
        for spelling in (b"inbox", b"Inbox", b'"iNbOx"', b"{5+}\r\nINBOX"):
            assert client.tagged(b"a CREATE %b\r\n" % spelling).startswith(b"a NO "), spelling
            assert client.tagged(b"b SELECT %b\r\n" % spelling).startswith(b"b OK "), spelling
        assert client.tagged(b"c DELETE inbox\r\n").startswith(b"c NO ")
        for stranger in ("\u0131nbox", "\uff29nbox", "INB\u041eX", "INBOX\u0301"):
            assert client.tagged(b"d SELECT %b\r\n" % quoted(utf7.encode(stranger))).startswith(b"d NO "), stranger
        assert names(client).count(b"INBOX") == 1


def test_two_spellings_of_one_accent_are_one_mailbox(victim: Server) -> None:
    with imap(victim) as client:
        composed, decomposed = utf7.encode("Caf\u00e9"), utf7.encode("Cafe\u0301")
        assert client.tagged(b"a CREATE %b\r\n" % decomposed).startswith(b"a OK ")
        assert client.tagged(b"b CREATE %b\r\n" % composed).startswith(b"b NO [ALREADYEXISTS] ")
        for spelling in (composed, decomposed):
            assert client.tagged(b"c SELECT %b\r\n" % spelling).startswith(b"c OK ")
            assert composed in client.whole(b'd LIST "" %b\r\n' % spelling)
        assert client.tagged(b"e DELETE %b\r\n" % decomposed).startswith(b"e OK ")


def test_utf8_that_is_cut_anywhere_is_refused(victim: Server) -> None:
    """And so are octets that never were UTF-8 (CVE-2020-7046)."""
    whole = "\u53d1\u7968\U0001f4ec\u00e9".encode()
    broken = [whole[start:end] for start in range(len(whole)) for end in range(start + 1, len(whole) + 1)]
    broken += [b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe0\x80\xaf", b"\x80"]
    with imap(victim) as client:
        known = names(client)
        for octets in broken:
            literal = b"{%d+}\r\n%b" % (len(octets), octets)
            for written in (quoted(octets), literal):
                assert client.tagged(b"a SELECT %b\r\n" % written).startswith((b"a BAD ", b"a NO ")), octets
                assert client.tagged(b"b CREATE %b\r\n" % written).startswith((b"b BAD ", b"b NO ")), octets
            assert client.tagged(b"c LOGIN %b x\r\n" % quoted(octets)).startswith(b"c BAD ")
            assert client.tagged(b"d NOOP\r\n").startswith(b"d OK ")  # or they are too many mistakes in a row
        assert names(client) == known


@pytest.mark.parametrize(
    "name", ["'", "x'; DROP TABLE mailbox; --", "%", "_", '"', "\\", ")", "x' OR '1'='1", "$1", ":name", "?"]
)
def test_a_name_is_never_sql(victim: Server, name: str) -> None:
    with imap(victim) as client:
        known = names(client)
        for command in ("SELECT", "DELETE", "SUBSCRIBE"):
            assert client.tagged(b"a %b %b\r\n" % (command.encode(), quoted(name.encode()))).startswith(b"a NO ")
        assert client.tagged(b"b SEARCH SUBJECT %b\r\n" % quoted(name.encode())).startswith(b"b BAD ")
        assert client.tagged(b"c SELECT INBOX\r\n").startswith(b"c OK ")
        for key in ("SUBJECT", "FROM", "TEXT", "HEADER x"):
            assert client.tagged(f"d SEARCH {key} ".encode() + quoted(name.encode()) + b"\r\n").startswith(b"d OK ")
        made = client.tagged(b"e CREATE %b\r\n" % quoted(name.encode()))
        if made.startswith(b"e OK"):
            assert len(names(client)) == len(known) + 1
            assert client.tagged(b"f DELETE %b\r\n" % quoted(name.encode())).startswith(b"f OK ")
        assert names(client) == known


OTHERS = [
    "bob@example.org",
    "user/bob",
    "#user/bob",
    "#shared",
    "Other Users/bob",
    "~bob/INBOX",
    "../bob@example.org/INBOX",
]


@pytest.mark.parametrize("name", OTHERS)
def test_what_belongs_to_another_is_answered_as_what_is_not_there(victim: Server, name: str) -> None:
    """CVE-2026-47081 and its kin: word for word the same as for a user that does not exist."""
    with imap(victim, selected="INBOX") as client:
        for command in (*COMMANDS[:2], *COMMANDS[3:], "COPY 1 {0}", "RENAME {0} y", 'LIST "" {0}', 'LSUB "" {0}'):
            said = {
                client.whole(b"a " + command.replace("{0}", f'"{each}"').encode() + b"\r\n")
                for each in (name, name.replace("bob", "nobody"))
            }
            assert len(said) == 1, said
