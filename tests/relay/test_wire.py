"""What `--wire` shows of our own dialogues with other hosts: as of the server's sessions, with words that say that we are the client."""

import asyncio
import io
import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mailhost.database.database import Database
from mailhost.events.event import Event, Events
from mailhost.events.wire_log import WireLog
from mailhost.ids import text_of
from mailhost.message.form import Form
from mailhost.relay.attempt import Trouble
from mailhost.smtp.client.outgoing import Outgoing, To
from tests.relay.hosts import Host
from tests.relay.test_attempt import AUTH, connecting, send, smarthost
from tests.relay.test_lane import carry, lane_to
from tests.relay.waiting import accepted
from tests.unit.smtp.client.peer import Text

TEXT = b"Subject: x\r\nTo: a\r\n\r\n.dot\r\nlast line"
PREFIX_LINE = "Received: from x by y; now"
HELLO = ["them: 220 host.test", "us: EHLO me.test", "them: 250-host.test"]


@dataclass
class Watching:
    """The wire log, and the events that it was made from."""

    full: bool = False
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stream = io.StringIO()
        self.log = WireLog(self.stream, full=self.full)

    def __call__(self, event: Event) -> None:
        self.events.append(event)
        self.log(event)

    @property
    def lines(self) -> list[str]:
        """Behind clock, protocol and connection."""
        return [re.sub(r"^\S+ \w+ +\d+ ", "", line) for line in self.stream.getvalue().splitlines()]


def watched(watching: Watching) -> Events:
    events = Events()
    events.subscribe(watching, lines=True)
    return events


def between(lines: list[str], first: str, last: str) -> list[str]:
    begin = next(number for number, line in enumerate(lines) if line.startswith(first))
    end = next(number for number, line in enumerate(lines) if number > begin and line.startswith(last))
    return lines[begin + 1 : end]


@pytest.mark.parametrize("full", [False, True])
async def test_a_message_that_is_relayed(database: Database, tmp_path: Path, full: bool) -> None:
    watching = Watching(full)
    async with lane_to(Host(), database, tmp_path, watch=watching) as (lane, blobs, _):
        one = await accepted(database, blobs, TEXT, "a@blue.test", "b@blue.test")
        await carry(lane, database)
    lines = watching.lines
    assert re.fullmatch(r"-- we connect to \S+: 127\.0\.0\.1 port \d+", lines[0])
    assert lines[1:4] == HELLO
    named = lines.index(f"-- journey {text_of(one.journey)}")
    assert lines[named + 1 : named + 5] == [
        "us: MAIL FROM:<alice@red.test>",
        "us: RCPT TO:<a@blue.test>",
        "us: RCPT TO:<b@blue.test>",
        "us: DATA",
    ]
    sent = f"[{len(PREFIX_LINE) + 2 + len(TEXT) + 1 + 2} octets of a message]"  # a dot more, and the last line's end
    header = [PREFIX_LINE, "Subject: x", "To: a"]
    body = ["", "..dot", "last line"] if full else []
    assert between(lines, "them: 354", "them: 250 2.0.0") == [f"us: {line}" for line in [*header, *body, sent, "."]]
    assert lines[-3] == "us: QUIT"
    assert lines[-1].startswith("-- the connection ends: ")
    spoken = [event for event in watching.events if event.direction and event.octets.startswith(b"MAIL")]
    assert [event.journey for event in spoken] == [one.journey]
    assert len({event.connection for event in watching.events if event.direction}) == 1


class LoginHost(Host):
    """Knows LOGIN alone, which asks twice."""

    def _usual(self, verb: str, extensions: list[str]) -> str:
        if "AUTH LOGIN" in self.heard[-2:]:
            return "334 VXNlcm5hbWU6"
        return "235 in" if "AUTH LOGIN" in self.heard[-3:] else super()._usual(verb, extensions)


@pytest.mark.parametrize(("mechanism", "shown"), [("PLAIN", ["AUTH PLAIN ***"]), ("LOGIN", ["***", "***"])])
async def test_tls_and_a_password_that_nobody_sees(tmp_path: Path, mechanism: str, shown: list[str]) -> None:
    password = tmp_path / "password"
    password.write_text("pencil\n")
    password.chmod(0o600)
    watching = Watching()
    host = LoginHost(["STARTTLS"], in_tls=["AUTH LOGIN"]) if mechanism == "LOGIN" else Host(["STARTTLS"], in_tls=AUTH)
    async with smarthost(host, tmp_path, password, events=watched(watching)) as connector:
        await send(connector, "anywhere.test")
    lines = watching.lines
    tls = next(number for number, line in enumerate(lines) if line.startswith("-- TLS begins: TLSv1"))
    assert lines[tls - 2 : tls] == ["us: STARTTLS", "them: 220 go"]
    assert [line for line in lines if "***" in line] == [f"us: {line}" for line in shown]
    said = b"".join(event.octets for event in watching.events)
    for secret in (b"AHVzZXIAcGVuY2ls", b"cGVuY2ls", b"pencil"):
        assert secret not in said


async def test_each_line_of_a_host_is_shown_as_it_came_even_when_it_is_none() -> None:
    watching = Watching()
    async with connecting(Host(greeting="220-one\r\n220 two"), events=watched(watching)) as connector:
        await send(connector)
    assert watching.lines[1:3] == ["them: 220-one", "them: 220 two"]
    watching = Watching()
    async with connecting(Host(greeting="HTTP/1.1 400 \x1b[31mno"), events=watched(watching)) as connector:
        with pytest.raises(Trouble):
            await connector.open("blue.test")
    assert watching.lines[1] == r"them: HTTP/1.1 400 \x1b[31mno"


class BinaryHost(Host):
    """Takes chunks."""

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._say(writer, self.greeting)
        while line := (await reader.readline()).decode().rstrip("\r\n"):
            verb, *words = line.split()
            if verb == "BDAT":
                await reader.readexactly(int(words[0]))
            self._say(writer, "250 2.0.0 taken" if verb == "BDAT" else self._usual(verb, ["CHUNKING", "BINARYMIME"]))
            if verb == "QUIT":
                return


async def test_chunks_are_shown_with_their_octets() -> None:
    watching = Watching()
    content = Text(b"Subject: x\r\n\r\n\0\0\0\r\n", Form.BINARY, cut=14)
    async with connecting(BinaryHost(), events=watched(watching)) as connector:
        connection = await connector.open("blue.test")
        sent = await connection.client.send(Outgoing("a@red.test", [To("b@blue.test")], content))
        await connection.client.quit()
    assert [str(each) for each in sent.answers] == ["250 2.0.0 taken"]
    lines = watching.lines
    assert between(lines, "us: BDAT 14", "them:") == ["us: Subject: x", "us: [14 octets of a message]"]
    assert between(lines, "us: BDAT 5 LAST", "them:") == ["us: [5 octets of a message]"]


async def test_it_costs_nothing_where_nobody_watches() -> None:
    """Not even an event."""
    seen: list[Event] = []
    events = Events()
    events.subscribe(seen.append)
    async with connecting(Host(), events=events) as connector:
        connection = await connector.open("blue.test")
        assert connection.wire is None
        assert connection.client.dialogue.watch is None
        await connection.client.quit()
    assert seen == []
