"""Three clients at random on one mailbox, against what the store says: no ghost, no lost flag, nothing told when it may not be."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from mailhost.database.database import Database
from mailhost.database.sqlite import SQLiteEngine
from mailhost.ids import MessageId, Millis, Uid, fresh
from mailhost.store import flags as store_flags
from mailhost.store import mailboxes, messages
from mailhost.store.flags import FlagChange
from mailhost.store.messages import Append
from mailhost.store.values import SYSTEM_FLAGS, FlagAction, Flags, MailboxKey, NewMessage
from tests.store.building import check
from tests.transcripts.player import PATIENCE, Client
from tests.transcripts.world import DOMAIN, PASSWORD, World, structure_of, world
from tests.unit.imap.picture import Answer, Command, Seat
from tests.unit.imap.picture import after as changed_flags

T = TypeVar("T")

WORDS = ("\\Seen", "\\Flagged", "\\Deleted", "\\Answered", "work", "play")
STEPS = 40
TARGETS = ("box", "other")

who = st.integers(0, 2)
places = st.tuples(st.integers(0, 30), st.integers(0, 4))
words = st.frozensets(st.sampled_from(WORDS), max_size=2)
actions = st.sampled_from(list(FlagAction))


@dataclass(frozen=True)
class Box:
    """What the store says of a mailbox."""

    uid_next: int
    version: int
    flags: dict[int, frozenset[str]]
    mod_seqs: dict[int, int]


class Clients(RuleBasedStateMachine):
    loop: asyncio.AbstractEventLoop
    here: World
    elsewhere: Database
    """Another process on the same database: the indexes here hear nothing of what it does."""
    numbers = count(1)

    def __init__(self) -> None:
        super().__init__()
        self.seats: list[Seat] = []
        self.subjects = count(1)

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(doing)

    def teardown(self) -> None:
        for seat in self.seats:
            self.run(seat.client.leave())

    # The scene.

    @initialize(wanted=st.tuples(st.booleans(), st.booleans(), st.booleans()), messages=st.integers(0, 6))
    def begin(self, wanted: tuple[bool, bool, bool], messages: int) -> None:
        number = next(self.numbers)
        self.box, self.other = f"Box{number}", f"Other{number}"
        self.run(self._begin(wanted, messages))

    async def _begin(self, wanted: tuple[bool, ...], messages: int) -> None:
        await self.here.make(self.box)
        await self.here.make(self.other)
        for _ in range(messages):
            await self._deliver(self.here.services.database)
        owners: dict[tuple[str, int], int] = {}
        subjects: dict[tuple[str, int], bytes] = {}
        sessions = count(1)
        for with_mod_seqs in wanted:
            seat = Seat(Client("imap", self.here, tls=True), owners, subjects, sessions)
            await seat.client.heard()
            assert b" OK " in await seat.client.ask(f"l LOGIN alice@{DOMAIN} {PASSWORD}\r\n".encode())
            if with_mod_seqs:
                seat.with_mod_seqs = True
                await seat.ask(Command("ENABLE", "ENABLE CONDSTORE"))
            self.seats.append(seat)
            await self._select(seat, "SELECT")

    async def _select(self, seat: Seat, verb: str) -> None:
        """Open the mailbox; who keeps mod-sequences asks for what changed since, and then its copy is what the store says."""
        [answer] = await seat.ask(Command(verb, f"{verb} {self.box}"))
        assert answer.condition == "OK"
        kept, known = dict(seat.cache), seat.known
        last = max(kept, default=0)
        if last and seat.with_mod_seqs:
            assert seat.highest >= known
            text = f"UID FETCH 1:{last} (FLAGS) (CHANGEDSINCE {known})"
            await seat.ask(Command("UID FETCH", text), Command("UID FETCH", f"UID FETCH {last + 1}:* (FLAGS)"))
            now = (await self.truth(self.box)).flags
            assert {uid: seat.cache[uid] for uid in now if uid in seat.cache} == now, (kept, known)
            seat.cache = {uid: words for uid, words in seat.cache.items() if uid in now}
        await seat.ask(Command("FETCH", "UID FETCH 1:* (FLAGS)"))

    async def truth(self, name: str) -> Box:
        found = await self.here.mailbox(name)
        key = MailboxKey(found.account, found.id)
        kept = await check(self.here.services.database, key)
        known = await self.here.services.database.read(mailboxes.keywords, key)
        names = [(int(bit), name) for name, bit in [*SYSTEM_FLAGS.items(), *known.items()]]
        return Box(
            kept.mailbox.uid_next,
            kept.mailbox.highest_mod_seq,
            {uid: frozenset(name for bit, name in names if row[1] & bit) for uid, row in sorted(kept.rows.items())},
            {uid: row[2] for uid, row in sorted(kept.rows.items())},
        )

    # One client, one command: what it does to the store is known.

    def ready(self, index: int, *, selected: bool = True) -> Seat:
        seat = self.seats[index]
        if seat.idle:
            self.run(seat.end_idle())
        if selected and not seat.box:
            self.run(self._select(seat, "SELECT"))
        return seat

    def one(self, seat: Seat, command: Command) -> tuple[Answer, Box, Box]:
        """The answer, and the mailbox before and after."""
        before = self.run(self.truth(self.box))
        [answer] = self.run(seat.ask(command))
        return answer, before, self.run(self.truth(self.box))

    def chosen(self, seat: Seat, place: tuple[int, int], by_uid: bool) -> tuple[str, list[int], str]:
        """Some messages: the set as the client writes it, their UIDs, and what stands before the verb."""
        self.run(seat.learn())
        uids = seat.uids
        if not uids:
            return "4000000000", [], "UID "
        low = place[0] % len(uids)
        some = uids[low : low + place[1] + 1]
        return (f"{some[0]}:{some[-1]}", some, "UID ") if by_uid else (f"{low + 1}:{low + len(some)}", some, "")

    @rule(index=who, place=places, by_uid=st.booleans(), peek=st.booleans())
    def fetch(self, index: int, place: tuple[int, int], by_uid: bool, peek: bool) -> None:
        seat = self.ready(index)
        messages, uids, uid = self.chosen(seat, place, by_uid)
        self.run(
            self.here.services.indexes.check()
        )  # else a message may seem to be seen that another process has just unmarked
        item = f"BODY{'.PEEK' if peek else ''}[HEADER.FIELDS (SUBJECT)]"
        answer, before, after = self.one(seat, Command(f"{uid}FETCH", f"{uid}FETCH {messages} (UID FLAGS {item})"))
        assert answer.condition == "OK"
        seen = {"\\Seen"} if not peek and not seat.read_only else set()
        assert after.flags == {each: now | seen if each in uids else now for each, now in before.flags.items()}
        assert set(answer.fetched) >= set(uids) & set(seat.uids)

    @rule(
        index=who,
        place=places,
        by_uid=st.booleans(),
        action=actions,
        silent=st.booleans(),
        some=words,
        ago=st.none() | st.integers(0, 6),
    )
    def store(
        self,
        index: int,
        place: tuple[int, int],
        by_uid: bool,
        action: FlagAction,
        silent: bool,
        some: frozenset[str],
        ago: int | None,
    ) -> None:
        seat = self.ready(index)
        messages, uids, uid = self.chosen(seat, place, by_uid)
        limit = 1 << 62
        condition = ""
        if ago is not None and seat.with_mod_seqs:
            limit = max(self.run(self.truth(self.box)).version - ago, 0)
            condition = f"(UNCHANGEDSINCE {limit}) "
        what = f"{action.value}{'.SILENT' if silent else ''} ({' '.join(sorted(some))})"
        guess = (uids, action, some) if silent else None
        command = Command(f"{uid}STORE", f"{uid}STORE {messages} {condition}{what}", guess)
        answer, before, after = self.one(seat, command)
        if seat.read_only:
            assert (answer.condition, after.flags) == ("NO", before.flags)
            return
        reached = [each for each in uids if each in before.flags]
        changed = [each for each in reached if before.mod_seqs[each] <= limit]
        expected = dict(before.flags)
        for each in changed:
            expected[each] = changed_flags(before.flags[each], action, some)
        assert after.flags == expected
        assert len({after.mod_seqs[each] for each in changed if expected[each] != before.flags[each]}) <= 1
        is_error = len(reached) < len(uids) and (bool(condition) or not by_uid)  # a UID that is gone is passed over
        assert answer.condition == ("NO" if is_error else "OK"), (answer, reached, uids)
        left = [each for each in uids if each not in changed]
        if condition:
            assert bool(left) == answer.code.startswith("MODIFIED")
        if condition and left and uid:
            assert sorted(numbers_of(answer.code.split()[1])) == left

    @rule(index=who, place=places, by_uid=st.booleans(), name=st.sampled_from(TARGETS), move=st.booleans())
    def copy(self, index: int, place: tuple[int, int], by_uid: bool, name: str, move: bool) -> None:
        seat = self.ready(index)
        messages, uids, uid = self.chosen(seat, place, by_uid)
        target = getattr(self, name)
        there = self.run(self.truth(target))
        verb = "MOVE" if move else "COPY"
        answer, before, after = self.one(seat, Command(f"{uid}{verb}", f"{uid}{verb} {messages} {target}"))
        if move and seat.read_only:
            assert (answer.condition, after.flags) == ("NO", before.flags)
            return
        going = [each for each in uids if each in before.flags]
        if len(going) < len(uids) and not by_uid:  # by number all of them, or none
            assert (answer.condition, answer.code, after.flags) == ("NO", "EXPUNGEISSUED", before.flags)
            assert self.run(self.truth(target)).flags == there.flags
            return
        assert answer.condition == "OK"
        came = {there.uid_next + place: before.flags[each] for place, each in enumerate(going)}
        left = {each: now for each, now in before.flags.items() if not (move and each in going)}
        assert after.flags == (left | came if target == self.box else left)
        assert self.run(self.truth(target)).flags == (after.flags if target == self.box else there.flags | came)

    @rule(index=who, some=words)
    def append(self, index: int, some: frozenset[str]) -> None:
        seat = self.ready(index, selected=False)
        content = self._content().decode()
        text = f"APPEND {self.box} ({' '.join(sorted(some))}) {{{len(content)}+}}\r\n{content}"
        answer, before, after = self.one(seat, Command("APPEND", text))
        assert answer.condition == "OK"
        assert after.flags == before.flags | {before.uid_next: some}
        assert after.mod_seqs[before.uid_next] > before.version

    @rule(index=who, close=st.booleans())
    def expunge(self, index: int, close: bool) -> None:
        seat = self.ready(index)
        verb = "CLOSE" if close else "EXPUNGE"
        answer, before, after = self.one(seat, Command(verb, verb))
        assert answer.condition == ("NO" if seat.read_only and not close else "OK")
        kept = {uid: now for uid, now in before.flags.items() if "\\Deleted" not in now}
        assert after.flags == (before.flags if seat.read_only else kept)
        told = answer.code.startswith("HIGHESTMODSEQ")
        assert told == (len(after.flags) < len(before.flags) and seat.with_mod_seqs and not close)

    @rule(index=who, place=places)
    def uid_expunge(self, index: int, place: tuple[int, int]) -> None:
        seat = self.ready(index)
        messages, uids, _ = self.chosen(seat, place, by_uid=True)
        answer, before, after = self.one(seat, Command("UID EXPUNGE", f"UID EXPUNGE {messages}"))
        assert answer.condition == ("NO" if seat.read_only else "OK")
        gone = {uid for uid in uids if "\\Deleted" in before.flags.get(uid, ())} if not seat.read_only else set()
        assert after.flags == {uid: now for uid, now in before.flags.items() if uid not in gone}

    @rule(index=who, by_uid=st.booleans(), word=st.sampled_from(["SEEN", "UNDELETED", "KEYWORD work", "ALL"]))
    def search(self, index: int, by_uid: bool, word: str) -> None:
        seat = self.ready(index)
        self.run(seat.learn())
        self.run(self.here.services.indexes.check())  # the hint of what another process did has come
        uid = "UID " if by_uid else ""
        answer, before, _ = self.one(seat, Command(f"{uid}SEARCH", f"{uid}SEARCH {word}"))
        holds = {"SEEN": "\\Seen", "KEYWORD work": "work"}.get(word)
        for number in answer.found if word != "ALL" else ():
            found = number if by_uid else seat.uids[number - 1]
            now = before.flags.get(found)
            assert now is None or (holds in now if holds else "\\Deleted" not in now)
        if word == "ALL" and not by_uid:
            assert list(answer.found) == list(range(1, len(answer.found) + 1))

    @rule(index=who, verb=st.sampled_from(["NOOP", "CHECK", "UNSELECT", "SELECT", "EXAMINE"]))
    def plain(self, index: int, verb: str) -> None:
        seat = self.ready(index)
        if verb in ("SELECT", "EXAMINE"):
            self.run(self._select(seat, verb))
        else:
            answer, before, after = self.one(seat, Command(verb, verb))
            assert (answer.condition, after) == ("OK", before)

    @rule(index=who)
    def ask_for_mod_sequences(self, index: int) -> None:
        """In the middle of a session, by a word of CONDSTORE."""
        seat = self.ready(index)
        if not seat.with_mod_seqs:
            seat.with_mod_seqs = True
            seat.cache.clear()
            self.run(seat.ask(Command("FETCH", f"FETCH 1:{max(len(seat.entries), 1)} (UID FLAGS MODSEQ)")))

    # Several things at a time.

    @rule(index=who, place=places, some=words, action=actions, second=st.integers(0, 5))
    def two_in_one_packet(
        self, index: int, place: tuple[int, int], some: frozenset[str], action: FlagAction, second: int
    ) -> None:
        seat = self.ready(index)
        messages, uids, uid = self.chosen(seat, place, by_uid=second % 2 == 0)
        text = f"{uid}STORE {messages} {action.value}.SILENT ({' '.join(sorted(some))})"
        self.run(seat.ask(Command(f"{uid}STORE", text, (uids, action, some)), self._any(second)))

    @rule(index=who, second=st.integers(0, 5))
    def done_with_a_command_in_its_packet(self, index: int, second: int) -> None:
        seat = self.ready(index)
        self.run(seat.begin_idle())
        self.run(seat.end_idle(self._any(second)))

    @rule(index=who)
    def idle(self, index: int) -> None:
        self.run(self.ready(index).begin_idle())

    @rule(picks=st.tuples(*[st.integers(0, 5)] * 3), place=places, some=words, behind=st.booleans())
    def all_at_once(
        self, picks: tuple[int, int, int], place: tuple[int, int], some: frozenset[str], behind: bool
    ) -> None:
        """Each by its own numbers, which stand until it is told otherwise."""
        asked = []
        for index, pick in enumerate(picks):
            seat = self.ready(index)
            messages, uids, uid = self.chosen(seat, (place[0] + index, place[1]), by_uid=pick % 2 == 0)
            text = f"{uid}STORE {messages} +FLAGS.SILENT ({' '.join(sorted(some))})"
            store = Command(f"{uid}STORE", text, (uids, FlagAction.ADD, some))
            asked.append((seat, store if pick < 2 else self._any(pick)))

        async def act() -> None:
            for seat, command in asked:
                await seat.send(command)
            if behind:
                await self._deliver(self.here.services.database)
            for seat, command in asked:
                await seat.hear(command)

        self.run(act())

    @rule(place=places)
    def one_of_three_wins(self, place: tuple[int, int]) -> None:
        """STORE bound to the same mod-sequence: one changes the message, the others hear that it has changed."""
        seats = [seat for index in range(3) if (seat := self.ready(index)).with_mod_seqs and not seat.read_only]
        self.run(self._settle(done=True))
        now = self.run(self.truth(self.box))
        if len(seats) < 2 or not now.flags:
            return
        uid = list(now.flags)[place[0] % len(now.flags)]
        text = f"UID STORE {uid} (UNCHANGEDSINCE {now.mod_seqs[uid]}) "
        others = [word for word in WORDS if {word} != now.flags[uid]]  # what changes nothing leaves the mod-sequence
        commands = [Command("UID STORE", text + f"FLAGS ({word})") for word in others[:3]]

        async def act() -> list[Answer]:
            asked = list(zip(seats, commands, strict=False))
            for seat, command in asked:
                await seat.send(command)
            return [(await seat.hear(command))[0] for seat, command in asked]

        answers = self.run(act())
        assert sorted(each.code for each in answers) == ["", *[f"MODIFIED {uid}"] * (len(answers) - 1)]

    @rule(elsewhere=st.booleans())
    def delivery(self, elsewhere: bool) -> None:
        self.run(self._deliver(self.elsewhere if elsewhere else self.here.services.database))

    @rule(place=places, elsewhere=st.booleans(), expunge=st.booleans(), some=words)
    def behind_their_back(self, place: tuple[int, int], elsewhere: bool, expunge: bool, some: frozenset[str]) -> None:
        uids = list(self.run(self.truth(self.box)).flags)
        if uids:
            low = place[0] % len(uids)
            self.run(self._change(elsewhere, expunge, [Uid(uid) for uid in uids[low : low + place[1] + 1]], some))

    async def _change(self, elsewhere: bool, expunge: bool, uids: list[Uid], some: frozenset[str]) -> None:
        database = self.elsewhere if elsewhere else self.here.services.database
        found = await self.here.mailbox(self.box)
        key = MailboxKey(found.account, found.id)
        if expunge:
            await database.write(messages.expunge, key, uids, Millis(1), Flags(0))
        else:
            bits = sum(SYSTEM_FLAGS[word] for word in some if word in SYSTEM_FLAGS)
            named = tuple(sorted(some - set(SYSTEM_FLAGS)))
            await database.write(store_flags.change, FlagChange(key, tuple(uids), FlagAction.SET, Flags(bits), named))

    def _any(self, pick: int) -> Command:
        content = self._content().decode()
        return (
            Command("NOOP", "NOOP"),
            Command("UID FETCH", "UID FETCH 1:* (FLAGS)"),
            Command("EXPUNGE", "EXPUNGE"),
            Command("UID SEARCH", "UID SEARCH UNDELETED"),
            Command("UID COPY", f"UID COPY * {self.box}"),
            Command("APPEND", f"APPEND {self.box} (work) {{{len(content)}+}}\r\n{content}"),
        )[pick]

    def _content(self) -> bytes:
        return f"Subject: s{next(self.subjects)}\r\n\r\nbody\r\n".encode()

    async def _deliver(self, database: Database) -> None:
        content = self._content()
        found = await self.here.mailbox(self.box)
        blob = self.here.services.blobs.inline(content)
        new = NewMessage(
            MailboxKey(found.account, found.id),
            MessageId(fresh()),
            blob.id,
            structure_of(content),
            b"",
            len(content),
            Millis(1),
            Flags(0),
        )
        await database.write(messages.append, Append(new, blob, Millis(1)))

    # What must hold in the end.

    @precondition(lambda self: bool(self.seats))
    @rule(done=st.booleans())
    def every_picture_is_what_the_store_says(self, done: bool) -> None:
        self.run(self._settle(done))

    async def _settle(self, done: bool) -> None:
        await self.here.services.indexes.check()
        for seat in self.seats:
            if done and seat.idle:
                await seat.end_idle()
            if seat.box and not seat.idle:
                await seat.ask(Command("NOOP", "NOOP"))
                await seat.learn()
        now = await self.truth(self.box)
        for seat in self.seats:
            if seat.idle:
                await self._hears_all(seat, now)
            elif seat.box:
                assert {each.uid: each.flags for each in seat.entries} == now.flags
                assert seat.uids == list(now.flags)
                if seat.with_mod_seqs:
                    assert all(each.mod_seq <= now.version for each in seat.entries)

    async def _hears_all(self, seat: Seat, now: Box) -> None:
        """In IDLE it is told without asking; what came since, it knows only to be there."""

        def is_told() -> bool:
            seat.hear_aside()
            known = {each.uid: each.flags for each in seat.entries if each.uid}
            return len(seat.entries) == len(now.flags) and known == {uid: now.flags.get(uid) for uid in known}

        async with asyncio.timeout(PATIENCE):
            while not is_told():
                seat.client.wire.spoke.clear()
                await seat.client.wire.spoke.wait()


def numbers_of(text: str) -> list[int]:
    """The members of a set."""
    ranges = [[int(end) for end in each.split(":")] for each in text.split(",")]
    return [number for each in ranges for number in range(each[0], each[-1] + 1)]


def run_machine(folder: Path, template: Path, examples: int, *more: Phase) -> None:
    loop = asyncio.new_event_loop()
    scene = world(folder / "data", template=template)

    async def opened() -> World:
        return await scene.__aenter__()

    Clients.loop, Clients.here = loop, loop.run_until_complete(opened())

    async def another() -> Database:
        return Database(SQLiteEngine(folder / "data" / "mail.db"))

    Clients.elsewhere = loop.run_until_complete(another())
    try:
        run_state_machine_as_test(
            Clients,
            settings=settings(
                max_examples=examples,
                stateful_step_count=STEPS,
                deadline=None,
                phases=[Phase.generate, *more],  # to shrink a failure takes minutes
                report_multiple_bugs=False,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(Clients.elsewhere.close())
        loop.run_until_complete(scene.__aexit__(None, None, None))
        loop.close()


def test_three_clients_believe_what_the_store_says(tmp_path: Path, template: Path) -> None:
    run_machine(tmp_path, template, max(settings().max_examples // 8, 3))


@pytest.mark.soak
def test_three_clients_believe_what_the_store_says_for_long(tmp_path: Path, template: Path) -> None:
    run_machine(tmp_path, template, 250, Phase.shrink)
