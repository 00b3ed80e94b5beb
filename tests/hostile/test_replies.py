"""CR, LF and NUL that a client sends never begin a line of ours: not in a reply, not in a response, not in the log (RFC 5321 section 2.3.8)."""

import json
import re
from pathlib import Path

import pytest

from tests.hostile.talk import append, b64, deliver, greeted, hello, imap, pop3, submitting
from tests.service import Server, serving

pytestmark = pytest.mark.service

CONTROLS = [b"\r", b"\0", b"\x1b[2J", b"\x08", b"\x7f", b"\x0b", b"\x0c", b"\r\r"]
FORGED = "2026-11-25T00:00:00Z [info     ] forged by a client"
_LITERAL = re.compile(rb"\{(\d+)\}\r\n")


@pytest.mark.parametrize("control", CONTROLS)
def test_smtp_repeats_none(victim: Server, control: bytes) -> None:
    with hello(victim) as client:
        for line in (
            b"EHLO a%bb",
            b"HELO a%bb",
            b"MAIL FROM:<a%bb@example.net>",
            b'MAIL FROM:<"a%bb"@example.net>',
            b"MAIL FROM:<a@example.net> SIZE%b=1",
            b"VRFY a%bb",
            b"NO%bOP",
            b"NOOP a%bb",
        ):
            said = client.ask(line % control + b"\r\n")
            assert said[:3] in (b"500", b"501"), (line, said)
            assert said.removesuffix(b"\r\n").decode("ascii").isprintable()
        assert client.ask(b"NOOP\r\n").startswith(b"250 ")


@pytest.mark.parametrize("control", CONTROLS)
def test_pop3_and_imap_repeat_none(victim: Server, control: bytes) -> None:
    with pop3(victim) as client:
        for line in (b"RETR %b1", b"LIST 1%b", b"NO%bOP", b"UIDL %b", b"TOP 1 %b"):
            said = client.ask(line % control + b"\r\n")
            assert said.startswith(b"-ERR "), (line, said)
            assert said.removesuffix(b"\r\n").decode("ascii").isprintable()
        assert client.ask(b"NOOP\r\n").startswith(b"+OK")
    with imap(victim) as client:
        for line in (b'SELECT "a%bb"', b"SELECT a%bb", b"NO%bOP", b"LIST %b *", b'ID ("a" "%b")', b"a%bb NOOP"):
            client.send(b"a " + line % control + b"\r\n")
            said = client.line()
            assert said.startswith((b"a BAD ", b"a NO ", b"* BAD ", b"* ID ", b"a OK ")), (line, said)
            assert said.removesuffix(b"\r\n").decode("ascii").isprintable()
            assert client.whole(b"z NOOP\r\n").endswith(b"z OK NOOP completed")


HOSTILE_FIELDS = [
    b"a\rb", b"a\nb", b"a\0b", b"a\r* 1 EXPUNGE", b'a" "b', b"a\\", b"{5}", b"=?utf-8?q?a=0D=0Ab?=", b"NIL", b") (", b"\xff\xfe", b"\x1b[2J",
    b'"a\r\nb" <c@d>', b"a\r\n b", b"<a\0b@c>", b'"\\\r"@x',
]  # fmt: skip


def without_literals(said: bytes) -> bytes:
    """A response's own lines: what stands in literals may be anything."""
    kept, at = b"", 0
    while found := _LITERAL.search(said, at):
        kept += said[at : found.start()] + b"literal"
        at = found.end() + int(found[1])
    return kept + said[at:]


def test_an_envelope_never_breaks_a_response(victim: Server) -> None:
    names = (
        b"Subject",
        b"From",
        b"To",
        b"Message-ID",
        b"In-Reply-To",
        b"Date",
        b"Content-Type",
        b"Content-ID",
        b"Content-Disposition",
    )
    with imap(victim) as client:
        client.tagged(b"a CREATE Broken\r\n")
        client.tagged(b"b SELECT Broken\r\n")
        for value in HOSTILE_FIELDS:
            content = b"".join(b"%b: %b\r\n" % (name, value) for name in names) + b"\r\nbody\r\n"
            if b"\0" in content:  # refused by APPEND, and so told
                assert deliver(victim, content, "alice@example.org").startswith(b"550 5.6.0 ")
                continue
            append(client, b"Broken", content)
            for item in (b"ENVELOPE", b"BODY", b"BODYSTRUCTURE", b"BODY[HEADER.FIELDS (Subject)]", b"ALL", b"FULL"):
                said = without_literals(client.whole(b"f FETCH * %b\r\n" % item)).split(b"\r\n")
                fetched = [line for line in said if not line.endswith((b"EXISTS", b"RECENT"))]
                assert len(fetched) == 2, (value, item, fetched)
                assert fetched[0].endswith(b")")
                assert fetched[1].startswith(b"f OK")
                assert not re.search(rb"[\r\n\0]", b"".join(fetched)), (value, item)
        client.tagged(b"c CLOSE\r\n")
        assert client.tagged(b"d DELETE Broken\r\n").startswith(b"d OK")


def test_a_mailbox_name_never_breaks_a_response(victim: Server) -> None:
    made = [
        b'"a\\"b"',
        b'"a b"',
        b'"a\\\\"',
        b"{3+}\r\na)b",
        b'"NIL"',
        b'"{5}"',
        b'"&- "',
        b'"]"',
        b'"a(b"',
        b"&U,BTFw-",
    ]
    with imap(victim) as client:
        for name in made:
            assert client.tagged(b"a CREATE " + name + b"\r\n").startswith(b"a OK "), name
            said = client.whole(b'b LIST "" *\r\n').split(b"\r\n")
            assert all(line.startswith((b"* LIST (", b"b OK ")) for line in said), said
            assert client.tagged(b"c STATUS %b (MESSAGES)\r\n" % name).startswith(b"c OK ")
            assert client.tagged(b"d DELETE " + name + b"\r\n").startswith(b"d OK "), name


HOSTILE_USERS = [
    f"alice\n{FORGED}",
    f"alice\r\n{FORGED}",
    "a\x1b[2J",
    "a\x00b",
    "a\u2028b",
    "a\u202eb",
    "a\x85b",
    "a' cause='b",
]


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_user_writes_a_line_into_the_log(tmp_path: Path, form: str) -> None:
    """Names come in base64 and in literals, so they can hold anything."""
    with serving(tmp_path / "data", "login.failure_delay=0s", f"log.format={form}", wire=form == "text") as server:
        for user in HOSTILE_USERS:
            with submitting(server) as client:
                client.ask(b"AUTH LOGIN " + b64(user) + b"\r\n")
                assert client.ask(b64("x") + b"\r\n").startswith(b"535 ")
                client.ask(b"EHLO " + FORGED.encode() + b"\r\n")
                client.ask(FORGED.encode() + b"\r\n")
            with imap(server, login=False) as client:
                octets = user.encode()
                client.send(b"a LOGIN {%d+}\r\n%b x\r\n" % (len(octets), octets))
                assert client.line().startswith((b"a NO ", b"a BAD "))
            with pop3(server, login=False) as client:
                client.ask(b"USER " + user.partition("\n")[0].encode() + b"\r\n")
                assert client.ask(b"PASS x\r\n").startswith(b"-ERR ")
        log = server.log()
    assert not [line for line in log.splitlines() if line.startswith(FORGED)]
    assert not [c for c in log.replace("\n", "") if not c.isprintable()]
    if form == "json":
        assert all(json.loads(line) for line in log.splitlines() if line.startswith("{"))


def test_a_greeting_in_the_wrong_protocol_is_no_command(victim: Server) -> None:
    """What browsers and other servers send (cross-protocol attacks): nothing of it runs."""
    request = b"POST / HTTP/1.1\r\nHost: mail\r\n\r\nMAIL FROM:<eve@example.net>\r\na LOGIN a b\r\nUSER a\r\n"
    for listener in ("smtp", "pop3", "imap"):
        with greeted(victim, listener) as client:
            client.send(request * 20)
            said = client.rest()
            assert said.count(b"\r\n") <= 25
            assert not re.search(rb"(?m)^(250 |\+OK|\S+ OK )", said), said
