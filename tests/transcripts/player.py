"""Plays a transcript: the notation of the RFCs' own examples (docs: the style's section "A transcript").

    # a comment
    given INBOX with 3 messages            what is there before the first line
    C: a1 NOOP                             what the client sends (C1, C2: one of several clients)
    S: a1 OK ...                           what the server must say, line by line

In a line `...` is any text, and alone it is any number of lines. `<name>` keeps what stands there, and means the same from
then on. The protocol is the folder's name: `mailhost.<protocol>.dialect.conversation(services)` gives what talks on a channel.
Sent, `<128 x a>` is so many letters, and `<2 lines>` the number of octets in the next two lines that are sent.

Things that can be given (each line one):
    INBOX with 3 messages                  sample messages; `Archive with 1 message`; a mailbox is made if it is missing
    INBOX with this message:               followed by lines that begin with "| "; "flagged \\Seen" may stand before the colon
    INBOX with this message, sent with SMTPUTF8:      or BINARYMIME: it has a surrogate where it needs one
    Archive, empty                         and `, selected by C2` after either
    bob is C2                              who logs in there
    nobody logged in                       IMAP only: elsewhere clients begin with the greeting anyway
    no TLS                                 the connection begins in clear
    passwords in clear allowed
    messages of at most 1000 octets
    at most 2 recipients                   and the others: SMTP only; hops, transactions and commands likewise
    messages held for at most 1000 seconds SMTP only: what FUTURERELEASE offers
    hosts of 192.0.2.0/24 may relay        SMTP only: without a login; all clients are 192.0.2.1
    priorities of at most 4                SMTP only: what MT-PRIORITY grants
    deliveries within no less than 30 seconds         SMTP only: what DELIVERBY offers
    submission                             a listener for users, who log in
    office@example.org stands for bob@example.org
    without SIZE                           an extension that the listener does not speak
    C2 speaks pop3                         a client of another protocol than the folder's, to see what became of a message
"""

import asyncio
import importlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import Enum
from itertools import groupby
from pathlib import Path
from typing import Any

from mailhost.config.networks import read_network
from mailhost.conversation.services import Limits
from mailhost.imap.session import IMAPSettings
from mailhost.message.form import Form
from mailhost.smtp.session import SMTPSettings
from mailhost.store.values import SYSTEM_FLAGS
from mailhost.transport.channel import Channel, Peer
from mailhost.transport.memory import MemoryWire
from tests.transcripts.world import DOMAIN, PASSWORD, World, sample_message, world

PATIENCE = 5.0
"""Seconds until a missing answer is a failure; what is right never waits for it."""


SENT_WITH = {None: Form.PLAIN, "SMTPUTF8": Form.UTF8, "BINARYMIME": Form.BINARY}


class Way(Enum):
    """How the client's octets arrive."""

    LINES = "line by line"
    OCTETS = "byte by byte"
    PACKET = "in one packet"
    SLOWLY = "without a wait, and the replies are read slowly"


TOGETHER = (Way.PACKET, Way.SLOWLY)
SIP = 7
"""Octets that a slow reader takes in one turn of the loop; it holds the server back while more than these wait."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a transcript: who (C, C2), which way, what."""

    at: int
    client: str
    sent: bool
    text: str


@dataclass(slots=True)
class Transcript:
    path: Path
    givens: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def clients(self) -> list[str]:
        return list(dict.fromkeys(each.client for each in self.lines))


_NAME = re.compile(r"<[a-z_]+>")
_SPOKEN = re.compile(r"([CS])(\d*):(?: (.*))?")


def read_transcript(path: Path) -> Transcript:
    transcript = Transcript(path)
    for at, raw in enumerate(path.read_text().splitlines(), start=1):
        spoken = _SPOKEN.fullmatch(raw)
        if spoken:
            side, number, text = spoken.groups()
            transcript.lines.append(Line(at, "C" + number, side == "C", text or ""))
        elif raw.startswith("given "):
            transcript.givens.append(raw.removeprefix("given "))
        elif raw.startswith("|"):
            transcript.givens[-1] += "\n" + raw[2:]
        elif raw.strip() and not raw.startswith(("#", "client:", "source:")):
            raise ValueError(f"{path.name}:{at}: not a line of a transcript: {raw}")
    return transcript


class PlayedChannel(Channel):
    """Says when the session has taken all there is and waits for more."""

    __slots__ = ("idle",)

    def __init__(self, wire: MemoryWire, peer: Peer, timeout: timedelta) -> None:
        super().__init__(wire, peer, timeout)
        self.idle = asyncio.Event()

    async def _more(self, until: float | None = None) -> None:
        self.idle.set()
        await super()._more(until)


class PlayedWire(MemoryWire):
    """A wire whose output is taken as lines."""

    def __init__(self, tls: bool, *, slow: bool = False) -> None:
        super().__init__()
        self.slow = slow
        self.held_back = 0
        """How often the server was told to wait."""
        self.ignored = 0
        """How often it went on writing all the same."""
        self._on_its_way = bytearray()
        peer = replace(self.channel.peer, tls="TLSv1.3 in memory" if tls else "")
        self.channel: PlayedChannel = PlayedChannel(self, peer, timedelta(seconds=30))
        self.spoke = asyncio.Event()

    def write(self, data: bytes) -> None:
        if not self.slow:
            self.output += data
            self.spoke.set()
            return
        self.ignored += self.channel.is_full
        if not self._on_its_way:
            asyncio.get_running_loop().call_soon(self._sip)
        self._on_its_way += data
        if len(self._on_its_way) > SIP and not self.channel.is_full:
            self.held_back += 1
            self.channel.stop_writing()

    def _sip(self) -> None:
        self.output += self._on_its_way[:SIP]
        del self._on_its_way[:SIP]
        self.spoke.set()
        if self._on_its_way:
            asyncio.get_running_loop().call_soon(self._sip)
        elif self.channel.is_full:
            self.channel.go_on_writing()

    @property
    def is_quiet(self) -> bool:
        """Whether the session waits for more, and all that it said has been read."""
        return self.channel.idle.is_set() and not self._on_its_way

    def close(self) -> None:
        self.closed = True
        self.spoke.set()
        self.channel.idle.set()


class Client:
    """The client's side of one connection."""

    def __init__(
        self,
        protocol: str,
        here: World,
        tls: bool,
        settings: SMTPSettings | IMAPSettings | None = None,
        without: Collection[str] = (),
        *,
        slow: bool = False,
    ) -> None:
        self.wire = PlayedWire(tls, slow=slow)
        more = (settings or SMTPSettings(),) if settings or protocol == "smtp" else ()
        talk = importlib.import_module(f"mailhost.{protocol}.dialect").conversation(
            here.services, *more, without=without
        )
        self.task = asyncio.create_task(talk(self.wire.channel))

    async def say(self, data: bytes, way: Way = Way.LINES) -> None:
        for piece in _pieces(data, way):
            self.wire.channel.idle.clear()
            self.wire.client_says(piece)
            if way in (Way.OCTETS, Way.SLOWLY):
                await asyncio.sleep(0)

    async def rest(self) -> None:
        """Until the session waits for input."""
        async with asyncio.timeout(PATIENCE):
            await self.wire.channel.idle.wait()
            while not self.wire.is_quiet:
                self.wire.spoke.clear()
                await self.wire.spoke.wait()

    async def heard(self) -> bytes:
        """All that the server says until it waits for input again."""
        await self.rest()
        said = bytes(self.wire.output)
        self.wire.output.clear()
        return said

    async def ask(self, data: bytes) -> bytes:
        await self.say(data)
        return await self.heard()

    async def leave(self) -> None:
        self.wire.client_ends()
        await asyncio.wait([self.task], timeout=PATIENCE)
        if not self.task.done():
            self.task.cancel()
            await asyncio.wait([self.task])
        if not self.task.cancelled() and self.task.exception() is not None:
            raise self.task.exception()  # type: ignore[misc]  # it was just seen not to be None


def _pieces(data: bytes, way: Way) -> list[bytes]:
    if way is Way.OCTETS:
        return [data[at : at + 1] for at in range(len(data))]
    return [data] if way is Way.PACKET else data.splitlines(keepends=True)


async def play(transcript: Transcript, folder: Path, way: Way, template: Path | None = None) -> None:
    """Raises AssertionError where the server says something else."""
    given = _Given(transcript)
    async with world(folder, template=template, allow_plaintext=given.plaintext, limits=given.limits) as here:
        await given.fill(here)
        await _Performance(transcript, here, given, way).play()


class _Given:
    """What the `given` lines ask for."""

    def __init__(self, transcript: Transcript) -> None:
        self.transcript = transcript
        self.protocol = transcript.path.parent.name
        self.tls, self.plaintext, self.limits = True, False, Limits()
        self.smtp = SMTPSettings()
        self.logged_in = self.protocol == "imap"
        self.users: dict[str, str] = {}
        self.selected: dict[str, str] = {}
        self.contents: list[tuple[str, str]] = []
        self.aliases: list[tuple[str, str]] = []
        self.speaks: dict[str, str] = {}
        self.without: list[str] = []
        for each in transcript.givens:
            self._read(each)

    def _read(self, text: str) -> None:
        if text == "nobody logged in":
            self.logged_in = False
        elif text == "no TLS":
            self.tls = False
        elif text == "passwords in clear allowed":
            self.plaintext = True
        elif found := re.fullmatch(r"messages of at most (\d+) octets", text):
            self.limits = Limits(message_octets=int(found[1]))
            self.smtp = replace(self.smtp, message_octets=int(found[1]))
        elif found := re.fullmatch(r"at most (\d+) (recipients|hops|visits|transactions|commands)", text):
            bound: dict[str, Any] = {f"most_{found[2]}": int(found[1])}
            self.smtp = replace(self.smtp, **bound)
        elif found := re.fullmatch(r"messages held for at most (\d+) seconds", text):
            self.smtp = replace(self.smtp, longest_hold=int(found[1]))
        elif found := re.fullmatch(r"priorities of at most (\d)", text):
            self.smtp = replace(self.smtp, highest_priority=int(found[1]))
        elif found := re.fullmatch(r"deliveries within no less than (\d+) seconds", text):
            self.smtp = replace(self.smtp, shortest_deliver_by=int(found[1]))
        elif found := re.fullmatch(r"without (\S+)", text):
            self.without.append(found[1])
        elif found := re.fullmatch(r"hosts of (\S+) may relay", text):
            self.smtp = replace(self.smtp, networks=(read_network(found[1]),))
        elif text == "submission":
            self.smtp = replace(self.smtp, submission=True)
        elif found := re.fullmatch(r"(\S+@\S+) stands for (\S+@\S+)", text):
            self.aliases.append((found[1], found[2]))
        elif found := re.fullmatch(r"(C\d*) speaks (\w+)", text):
            self.speaks[found[1]] = found[2]
        elif found := re.fullmatch(r"(\w+) is (C\d*)", text):
            self.users[found[2]] = found[1]
        elif found := re.fullmatch(
            r"([^,]+?)(,? (?:with|empty)[^|]*?)?(?:, selected by (C\d*))?(\n.*)?", text, re.DOTALL
        ):
            self.contents.append((found[1], (found[2] or "") + (found[4] or "")))
            if found[3]:
                self.selected[found[3]] = found[1]
        else:
            raise ValueError(f"{self.transcript.path.name}: cannot be given: {text}")

    async def fill(self, here: World) -> None:
        for alias, target in self.aliases:
            await here.alias(alias, target)
        for name, text in self.contents:
            await here.make(name)
            if found := re.search(r"with (\d+) messages?", text):
                for number in range(1, int(found[1]) + 1):
                    await here.deliver(sample_message(number), name)
            elif found := re.match(
                r" with this message(?:, sent with (\w+))?(?:, flagged ([^:]*))?:\n(.*)", text, re.DOTALL
            ):
                words = (found[2] or "").split()
                flags = sum(SYSTEM_FLAGS[word] for word in words if word in SYSTEM_FLAGS)
                keywords = tuple(word for word in words if word not in SYSTEM_FLAGS)
                content = (found[3] + "\n").replace("\n", "\r\n").encode()
                await here.deliver(content, name, flags=flags, keywords=keywords, may_hold=SENT_WITH[found[1]])


class _Performance:
    def __init__(self, transcript: Transcript, here: World, given: _Given, way: Way) -> None:
        self.transcript, self.here, self.given, self.way = transcript, here, given, way
        self.names: dict[str, str] = {}
        self.clients: dict[str, Client] = {}

    async def play(self) -> None:
        try:
            for name in self.transcript.clients:
                self.clients[name] = await self._enter(name)
            for client, turn in self._turns():
                await self._take_turn(client, turn)
            for name, each in self.clients.items():
                self._expect_nothing_more(name, each)
                if self.way is Way.SLOWLY:
                    assert each.wire.held_back > 1, f"{name} never held the server back"
                    assert not each.wire.ignored, f"{name} was written to while it did not read"
        finally:
            for each in self.clients.values():
                await each.leave()

    async def _enter(self, name: str) -> Client:
        protocol = self.given.speaks.get(name, self.given.protocol)
        without = self.given.without if protocol == self.given.protocol else ()
        settings = self.given.smtp if protocol == "smtp" else None
        slow = self.way is Way.SLOWLY
        client = Client(protocol, self.here, self.given.tls, settings, without, slow=slow)
        if self.given.logged_in:
            user = self.given.users.get(name, "alice")
            await client.heard()
            assert b" OK " in await client.ask(f"login LOGIN {user}@{DOMAIN} {PASSWORD}\r\n".encode())
        if name in self.given.selected:
            assert b" OK " in await client.ask(f'select SELECT "{self.given.selected[name]}"\r\n'.encode())
        return client

    def _turns(self) -> Iterator[tuple[str, list[Line]]]:
        """Lines up to the next point where a client must wait."""
        for client, mine in groupby(self.transcript.lines, key=lambda line: line.client):
            lines = list(mine)
            start = 0
            for place, line in enumerate(lines):
                follows = lines[place + 1] if place + 1 < len(lines) else None
                if follows is None or (follows.sent and self._must_wait(lines[start : place + 1], line, follows)):
                    yield client, lines[start : place + 1]
                    start = place + 1

    def _must_wait(self, turn: list[Line], line: Line, follows: Line) -> bool:
        if self.way not in TOGETHER:
            return not line.sent
        if line.sent:
            return False
        last_sent = next((each.text for each in reversed(turn) if each.sent), "")
        return (
            not last_sent  # the greeting
            or line.text.startswith(("+ ", "334", "354"))
            or line.text == "+"
            or last_sent.upper().endswith(("STARTTLS", "STLS"))
            or _NAME.search(follows.text) is not None
        )

    async def _take_turn(self, name: str, turn: list[Line]) -> None:
        client = self.clients[name]
        for sent, run in groupby(sorted(turn, key=lambda line: not line.sent), key=lambda line: line.sent):
            if sent:
                self._expect_nothing_more(name, client)
                await client.say(self._octets([self._filled(line.text) for line in run]), self.way)
            else:
                await self._expect(client, list(run))

    @staticmethod
    def _octets(texts: list[str]) -> bytes:
        lines = [text.encode() + b"\r\n" for text in texts]
        for at, line in enumerate(lines):
            lines[at] = re.sub(
                rb"<(\d+) lines?>",
                lambda found: b"%d" % sum(map(len, lines[at + 1 : at + 1 + int(found[1])])),  # noqa: B023 - called at once
                line,
            )
        return b"".join(lines)

    def _filled(self, text: str) -> str:
        text = re.sub(r"<(\d+) x (.)>", lambda found: int(found[1]) * found[2], text)
        for name, value in self.names.items():
            text = text.replace(f"<{name}>", value)
        return text

    async def _expect(self, client: Client, lines: list[Line]) -> None:
        wild_end = lines[-1].text == "..."
        try:
            async with asyncio.timeout(PATIENCE):
                while not self._matches(client, lines, final=client.wire.is_quiet or not wild_end):
                    client.wire.spoke.clear()
                    await self._something_new(client)
        except TimeoutError:
            self._fail(lines, bytes(client.wire.output))

    async def _something_new(self, client: Client) -> None:
        waits = [asyncio.create_task(client.wire.spoke.wait())]
        if not client.wire.channel.idle.is_set():
            waits.append(asyncio.create_task(client.wire.channel.idle.wait()))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waits:
                each.cancel()

    def _matches(self, client: Client, lines: list[Line], *, final: bool) -> bool:
        """Whether the output so far is what the lines say; if so it is taken."""
        if not final:
            return False
        found = re.match(self._pattern(lines), client.wire.output.decode("utf-8", "surrogateescape"), re.DOTALL)
        if found is None:
            return False
        self.names.update({name: value for name, value in found.groupdict().items() if value is not None})
        del client.wire.output[: len(found[0].encode("utf-8", "surrogateescape"))]
        return True

    def _pattern(self, lines: list[Line]) -> str:
        seen: set[str] = set()
        parts = [
            r"(?:[^\r\n]*\r?\n)*" + ("" if line is lines[-1] else "?")
            if line.text == "..."
            else self._line(line.text, seen)
            for line in lines
        ]
        return "".join(parts)

    def _line(self, text: str, seen: set[str]) -> str:
        pattern = ""
        for piece in re.split(r"(\.\.\.|<[a-z_]+>)", text):
            if piece == "...":
                pattern += r"[^\r\n]*"
            elif re.fullmatch(r"<[a-z_]+>", piece):
                pattern += self._name(piece[1:-1], seen)
            else:
                pattern += re.escape(piece)
        return pattern + r"\r?\n"

    def _name(self, name: str, seen: set[str]) -> str:
        if name in self.names:
            return re.escape(self.names[name])
        if name in seen:
            return f"(?P={name})"
        seen.add(name)
        return rf"(?P<{name}>[^\s\])]+)"

    def _expect_nothing_more(self, name: str, client: Client) -> None:
        if client.wire.output:
            raise AssertionError(
                f"{self.transcript.path.name}, {name}: the server said more: {bytes(client.wire.output)!r}"
            )

    def _fail(self, lines: list[Line], said: bytes) -> Any:
        wanted = "\n".join(f"  S: {line.text}" for line in lines)
        heard = "\n".join(f"  S: {line}" for line in said.decode("utf-8", "replace").splitlines())
        raise AssertionError(
            f"{self.transcript.path.name}:{lines[0].at} ({self.way.value}): expected\n{wanted}\nbut heard\n{heard}"
        )
