"""What a client believes of its mailbox, from untagged responses only; and what no server may say to it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from mailhost.store.values import FlagAction
from tests.transcripts.player import Client

_TAGGED = re.compile(rb"(t\d+) (OK|NO|BAD) (?:\[([^\]]*)\])?.*")
_NUMBERED = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE)")
_FETCHED = re.compile(rb"\* (\d+) FETCH \((.*)\)", re.DOTALL)
_LITERAL = re.compile(rb"\{(\d+)\}\Z")
_HIGHEST = re.compile(rb"\* OK \[HIGHESTMODSEQ (\d+)\].*")
NUMBERS_STAND = frozenset({"FETCH", "STORE", "SEARCH"})


@dataclass
class Entry:
    """One message of the picture; what the client has not been told it does not know."""

    uid: int = 0
    flags: frozenset[str] | None = None
    recent: bool = False
    mod_seq: int = 0


@dataclass(frozen=True)
class Command:
    verb: str
    text: str
    """All behind the tag."""
    guess: tuple[Sequence[int], FlagAction, frozenset[str]] | None = None
    """STORE with .SILENT: the client works out the flags when it sends the command, and believes it until it hears otherwise."""


@dataclass(frozen=True)
class Answer:
    condition: str
    code: str
    found: tuple[int, ...] = ()
    """What SEARCH answered."""
    fetched: tuple[int, ...] = ()
    """The UIDs of the FETCH responses."""


@dataclass
class Seat:
    """Somebody with a connection, and the picture that it gives."""

    client: Client
    owners: dict[tuple[str, int], int]
    """Whose session each message is recent in, of all clients."""
    subjects: dict[tuple[str, int], bytes]
    """What each message is, as whoever first fetched it has seen."""
    sessions: Iterator[int]
    box: str = ""
    session: int = 0
    read_only: bool = False
    entries: list[Entry] = field(default_factory=list)
    with_mod_seqs: bool = False
    idle: bool = False
    tag: int = 0
    cache: dict[int, frozenset[str]] = field(default_factory=dict)
    """What it keeps of the mailbox beyond the session, as phones do."""
    known: int = 0
    """The highest mod-sequence that a finished command has told."""
    _told: int = 0

    async def ask(self, *commands: Command) -> list[Answer]:
        """Send some commands in one packet, and take in all that is said."""
        await self.send(*commands)
        return await self.hear(*commands)

    async def send(self, *commands: Command) -> None:
        self.hear_aside()
        self.first_tag = self.tag + 1
        lines = [f"t{self.first_tag + place} {each.text}\r\n" for place, each in enumerate(commands)]
        self.tag += len(commands)
        for each in commands:
            if each.guess and not self.read_only:
                self._guess(*each.guess)
        await self.client.say("".join(lines).encode())

    def _guess(self, uids: Sequence[int], action: FlagAction, some: frozenset[str]) -> None:
        for entry in self.entries:
            if entry.uid in uids and entry.flags is not None:
                entry.flags = self.cache[entry.uid] = after(entry.flags, action, some)

    async def hear(self, *commands: Command) -> list[Answer]:
        lines = _lines(await self.client.heard())
        answers = [self._hear_one(lines, f"t{self.first_tag + place}", each) for place, each in enumerate(commands)]
        assert not list(lines), "the server said more than it was asked"
        return answers

    def hear_aside(self) -> None:
        """What comes while IDLE; at other times nothing may."""
        said = bytes(self.client.wire.output)
        self.client.wire.output.clear()
        assert self.idle or not said, said
        for line in _lines(said):
            self._take_in(line, "IDLE")

    async def begin_idle(self) -> None:
        self.idle = True
        self.tag += 1
        said = await self.client.ask(f"t{self.tag} IDLE\r\n".encode())
        assert said.startswith(b"+ "), said
        for line in list(_lines(said))[1:]:
            self._take_in(line, "IDLE")

    async def end_idle(self, *more: Command) -> list[Answer]:
        """DONE, with further commands in the same packet, as Apple Mail does."""
        self.hear_aside()
        self.idle, ending = False, self.tag
        self.first_tag = self.tag + 1
        text = "DONE\r\n" + "".join(f"t{self.first_tag + place} {each.text}\r\n" for place, each in enumerate(more))
        self.tag += len(more)
        await self.client.say(text.encode())
        lines = _lines(await self.client.heard())
        assert self._hear_one(lines, f"t{ending}", Command("IDLE", "IDLE")).condition == "OK"
        return [self._hear_one(lines, f"t{self.first_tag + place}", each) for place, each in enumerate(more)]

    def _hear_one(self, lines: Iterator[bytes], tag: str, command: Command) -> Answer:
        found: tuple[int, ...] = ()
        fetched: list[int] = []
        if command.verb in ("SELECT", "EXAMINE"):
            self._begin(command)
        for line in lines:
            if line.startswith(b"* "):
                if line.startswith(b"* SEARCH"):
                    found = tuple(int(each) for each in line.split(b" (")[0].split()[2:])
                self._take_in(line, command.verb)
                if taken := _FETCHED.fullmatch(line):
                    fetched.append(self.entries[int(taken[1]) - 1].uid)
                continue
            tagged = _TAGGED.fullmatch(line)
            assert tagged, line
            assert tagged[1].decode() == tag, (line, tag, command)
            assert tagged[2] != b"BAD", (command, line)
            self._end(command, tagged[2] == b"OK")
            return Answer(tagged[2].decode(), (tagged[3] or b"").decode(), found, tuple(fetched))
        raise AssertionError(f"no answer to {command}")

    def _begin(self, command: Command) -> None:
        self.box, self.entries = command.text.split()[1], []
        self.read_only, self.session = command.verb == "EXAMINE", next(self.sessions)

    def _end(self, command: Command, done: bool) -> None:
        if done and command.verb in ("CLOSE", "UNSELECT"):
            self.box, self.entries = "", []
        if "CONDSTORE" in command.text:
            assert self.with_mod_seqs
        self.known = max(self.known, self._told)

    def _take_in(self, line: bytes, verb: str) -> None:
        if counted := _NUMBERED.fullmatch(line):
            self._count(int(counted[1]), counted[2], verb)
        elif fetched := _FETCHED.fullmatch(line):
            self._take_fetched(self.entries[int(fetched[1]) - 1], fetched[2])  # an IndexError is a ghost
        elif highest := _HIGHEST.fullmatch(line):
            self.highest = int(highest[1])
        else:
            assert line.startswith((b"* FLAGS", b"* OK [", b"* SEARCH", b"* ENABLED")), line

    def _count(self, number: int, word: bytes, verb: str) -> None:
        if word == b"EXISTS":
            assert number >= len(self.entries), "EXISTS shrinks"
            self.entries += [Entry() for _ in range(number - len(self.entries))]
        elif word == b"EXPUNGE":
            assert verb not in NUMBERS_STAND, f"EXPUNGE in {verb}"
            self.cache.pop(self.entries.pop(number - 1).uid, None)

    def _take_fetched(self, entry: Entry, items: bytes) -> None:
        if uid := re.search(rb"\bUID (\d+)", items):
            assert entry.uid in (0, int(uid[1])), "a number names another message than the client thinks"
            entry.uid = int(uid[1])
        mod_seq, flags = re.search(rb"\bMODSEQ \((\d+)\)", items), re.search(rb"\bFLAGS \(([^)]*)\)", items)
        if mod_seq:
            assert self.with_mod_seqs, "MODSEQ, and nobody asked"
            assert int(mod_seq[1]) >= entry.mod_seq, "a mod-sequence went back"
            entry.mod_seq = int(mod_seq[1])
            self._told = max(self._told, entry.mod_seq)
        if flags:
            assert bool(mod_seq) == self.with_mod_seqs
            words = frozenset(flags[1].decode().split())
            entry.flags, entry.recent = words - {"\\Recent"}, "\\Recent" in words
        if entry.uid and entry.flags is not None:
            self.cache[entry.uid] = entry.flags
        if entry.uid:
            self._check_message(entry, items)

    def _check_message(self, entry: Entry, items: bytes) -> None:
        place = self.box, entry.uid
        if entry.recent and not self.read_only:
            assert self.owners.setdefault(place, self.session) == self.session, "recent in two sessions"
        if subject := re.search(rb"Subject: (\w+)", items):
            assert self.subjects.setdefault(place, subject[1]) == subject[1], "another message than before"

    @property
    def uids(self) -> list[int]:
        return [each.uid for each in self.entries]

    async def learn(self) -> None:
        """UIDs and flags of messages that came: what every client asks for after EXISTS."""
        while (
            self.box
            and not self.idle
            and (unknown := [n for n, each in enumerate(self.entries, 1) if not each.uid or each.flags is None])
        ):
            text = f"FETCH {unknown[0]}:{unknown[-1]} (UID FLAGS)"
            assert (await self.ask(Command("FETCH", text)))[0].condition == "OK"


def after(flags: frozenset[str], action: FlagAction, some: frozenset[str]) -> frozenset[str]:
    return {FlagAction.SET: some, FlagAction.ADD: flags | some, FlagAction.REMOVE: flags - some}[action]


def _lines(said: bytes) -> Iterator[bytes]:
    """Lines with their literals in them."""
    at, start = 0, 0
    while at < len(said):
        end = said.index(b"\r\n", at)
        if literal := _LITERAL.search(said[start:end]):
            at = end + 2 + int(literal[1])
            continue
        yield said[start:end]
        at = start = end + 2
