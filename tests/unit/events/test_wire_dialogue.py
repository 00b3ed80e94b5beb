"""What is shown of real sessions, in each protocol: a dialogue as it went over the wire."""

import io
import re
from pathlib import Path

import pytest

from mailhost.events.event import FAULT, Event
from mailhost.events.wire_log import WireLog
from mailhost.imap.session import IMAPSession
from mailhost.pop3.session import POP3Session
from mailhost.smtp.session import SMTPSession, SMTPSettings
from tests.transcripts.player import Client
from tests.transcripts.world import DOMAIN, PASSWORD, world

MESSAGE = b"From: alice@example.org\r\nSubject: dots\r\n\r\n..one\r\ntwo\r\n"
HEADER = ["From: alice@example.org", "Subject: dots"]
SIZE = f"[{len(MESSAGE)} octets of a message]"
ENVELOPE = f"MAIL FROM:<a@b.example>\r\nRCPT TO:<alice@{DOMAIN}>\r\n".encode()
IMAP_LOGIN = f"a LOGIN alice@{DOMAIN} {PASSWORD}\r\n".encode()
POP3_LOGIN = f"USER alice@{DOMAIN}\r\nPASS {PASSWORD}\r\n".encode()


async def shown(
    folder: Path,
    template: Path,
    protocol: str,
    *packets: bytes,
    settings: SMTPSettings | None = None,
    full: bool = False,
    deliver: bytes = b"",
) -> list[str]:
    """The lines of the wire log behind clock, protocol and connection."""
    stream = io.StringIO()
    async with world(folder / "data", template=template) as here:
        if deliver:
            await here.deliver(deliver)
        here.services.events.subscribe(WireLog(stream, full=full), lines=True)
        one = Client(protocol, here, tls=True, settings=settings)
        for packet in packets:
            await one.rest()
            one.wire.client_says(packet)
        await one.leave()
    return [re.sub(r"^\S+ \w+ +\d+ ", "", line) for line in stream.getvalue().splitlines()]


def behind(lines: list[str], mark: str) -> list[str]:
    """What comes after the line that begins so."""
    return lines[next(number for number, line in enumerate(lines) if line.startswith(mark)) + 1 :]


@pytest.mark.parametrize("size", [1, 3, 10_000])
async def test_data_is_shown_up_to_its_dot(tmp_path: Path, template: Path, size: int) -> None:
    octets = MESSAGE + b".\r\nNOOP\r\n"
    packets = [octets[at : at + size] for at in range(0, len(octets), size)]
    said = await shown(tmp_path, template, "smtp", b"EHLO x\r\n", ENVELOPE, b"DATA\r\n", *packets)
    assert behind(said, "S: 354 ")[:4] == [f"C: {line}" for line in [*HEADER, SIZE, "."]]
    assert behind(said, "C: .")[0].startswith("S: 250 2.0.0 Accepted")
    assert "C: NOOP" in said


async def test_with_full_the_dots_are_as_they_were_sent(tmp_path: Path, template: Path) -> None:
    said = await shown(tmp_path, template, "smtp", b"EHLO x\r\n", ENVELOPE, b"DATA\r\n", MESSAGE + b".\r\n", full=True)
    assert behind(said, "S: 354 ")[:7] == [f"C: {line}" for line in [*HEADER, "", "..one", "two", SIZE, "."]]


async def test_chunks_are_shown_and_what_no_transaction_takes_is_counted(tmp_path: Path, template: Path) -> None:
    first, second = MESSAGE[:-5], MESSAGE[-5:]
    chunks = [b"BDAT 4\r\nabc\n", ENVELOPE, b"BDAT %d\r\n" % len(first), first, b"BDAT 5 LAST\r\n" + second]
    said = await shown(tmp_path, template, "smtp", b"EHLO x\r\n", *chunks)
    assert behind(said, "C: BDAT 4")[0] == "C: [4 octets of something refused]"
    shown_first = [*HEADER, f"[{len(first)} octets of a message]"]
    assert behind(said, f"C: BDAT {len(first)}")[:3] == [f"C: {line}" for line in shown_first]
    assert behind(said, "C: BDAT 5 LAST")[0] == "C: [5 octets of a message]"


async def test_retr_and_top_are_shown_up_to_their_dot(tmp_path: Path, template: Path) -> None:
    said = await shown(tmp_path, template, "pop3", POP3_LOGIN, b"RETR 1\r\nTOP 1 0\r\n", deliver=MESSAGE)
    stuffed = f"[{len(MESSAGE) + 1} octets of a message]"
    assert behind(behind(said, "C: RETR 1"), "S: +OK")[:4] == [f"S: {line}" for line in [*HEADER, stuffed, "."]]
    assert behind(said, "C: TOP 1 0")[1:3] == [f"S: {line}" for line in HEADER]
    assert said.count("S: .") == 2


async def test_append_fetch_and_literals_are_shown(tmp_path: Path, template: Path) -> None:
    append = b"b APPEND INBOX {%d+}\r\n%b\r\n" % (len(MESSAGE), MESSAGE)
    fetch = b"c SELECT INBOX\r\nd FETCH 1 (UID BODY.PEEK[])\r\ne CREATE {4}\r\n"
    said = await shown(tmp_path, template, "imap", IMAP_LOGIN, append, fetch, b"Alma\r\n", b"f LOGOUT\r\n")
    assert behind(said, "C: b APPEND")[:3] == [f"C: {line}" for line in [*HEADER, SIZE]]
    assert behind(said, "S: * 1 FETCH")[:4] == [f"S: {line}" for line in [*HEADER, SIZE, ")"]]
    assert behind(said, "C: e CREATE {4}")[:3] == ["S: + OK", "C: Alma", "S: e OK CREATE completed"]


async def test_a_refused_literal_is_counted(tmp_path: Path, template: Path) -> None:
    said = await shown(tmp_path, template, "imap", b"a XYZZY x {5+}\r\nhello rest\r\n", b"b NOOP\r\n")
    assert behind(said, "C: a XYZZY ***")[1:4] == ["C: [5 octets of something refused]", "C: ***", "C: b NOOP"]


@pytest.mark.parametrize(
    ("protocol", "head"), [("smtp", b"NOOP "), ("pop3", b"NOOP "), ("imap", b"a NOOP ")], ids=["smtp", "pop3", "imap"]
)
async def test_the_head_of_a_line_that_is_too_long_is_shown(
    tmp_path: Path, template: Path, protocol: str, head: bytes
) -> None:
    said = await shown(tmp_path, template, protocol, head + b"x" * 80_000 + b"\r\n")
    said = [line for line in said if line.startswith("C:")]
    assert said[0].startswith(f"C: {head.decode()}xxx")
    assert len(said[0]) < 310
    assert said[1:] == ["C: [this line is too long: it is not read to its end]"]


async def test_a_line_behind_a_literal_that_is_too_long_is_shown_as_well(tmp_path: Path, template: Path) -> None:
    command = b'a LIST {2+}\r\n"" ' + b"x" * 80_000 + b"\r\n"
    said = await shown(tmp_path, template, "imap", IMAP_LOGIN, command)
    lines = behind(said, "C: a LIST {2+}")
    assert lines[0] == 'C: ""'
    assert lines[1].startswith("C:  xxx")
    assert lines[2] == "C: [this line is too long: it is not read to its end]"


async def test_the_begin_of_tls_is_told(tmp_path: Path, template: Path) -> None:
    stream = io.StringIO()
    async with world(tmp_path / "data", template=template) as here:
        here.services.events.subscribe(WireLog(stream), lines=True)
        for protocol, ask in (("smtp", b"EHLO x\r\nSTARTTLS\r\n"), ("pop3", b"STLS\r\n"), ("imap", b"a STARTTLS\r\n")):
            one = Client(protocol, here, tls=False)
            await one.ask(ask)
            await one.leave()
    assert stream.getvalue().count(" -- TLS begins: TLSv1.3 in memory\n") == 3


async def test_where_nobody_watches_no_event_of_a_line_is_made(
    tmp_path: Path, template: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the mask is asked what may be shown."""

    def never(*_: object, **__: object) -> bytes:
        raise AssertionError("made for nobody")

    for session in (SMTPSession, POP3Session, IMAPSession):
        monkeypatch.setattr(session, "_publish", never)
        monkeypatch.setattr(session, "_shown", never)
    data = b"EHLO x\r\n" + ENVELOPE + b"DATA\r\n" + MESSAGE + b".\r\nBDAT 3\r\nabcNOOP " + b"x" * 80_000 + b"\r\n"
    append = b"b APPEND INBOX {%d+}\r\n%b\r\nc XYZZY {3+}\r\nabc\r\n" % (len(MESSAGE), MESSAGE)
    dialogues = {
        "smtp": (data, b"250 2.0.0 Accepted"),
        "pop3": (POP3_LOGIN + b"RETR 1\r\nNOOP " + b"x" * 80_000 + b"\r\n", b"..one"),
        "imap": (IMAP_LOGIN + append + b"d SELECT INBOX\r\ne FETCH 1 BODY[]\r\n", b"e OK FETCH"),
    }
    told = list[Event]()
    async with world(tmp_path / "data", template=template) as here:
        here.services.events.subscribe(told.append)
        for protocol, (said, answer) in dialogues.items():
            one = Client(protocol, here, tls=True)
            await one.rest()
            assert answer in await one.ask(said)
            await one.leave()
    assert [event for event in told if event.kind == FAULT] == []
