"""The store against a model as simple as can be: whatever is done in whatever order, both say the same."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from mailhost.database.database import Database
from mailhost.database.errors import Refused
from mailhost.database.transaction import Transaction
from mailhost.ids import AccountId, MailboxId, MessageId, ModSeq, Uid, fresh
from mailhost.store import flags, mailboxes, messages
from mailhost.store.changes import Added, Changed, Expunged, Flagged
from mailhost.store.errors import MailboxExists, MailboxHasChildren, MailboxMissing, MailboxProtected, TargetMissing
from mailhost.store.flags import FlagChange
from mailhost.store.values import FlagAction, Flags, Mailbox, MailboxKey, SystemFlag
from mailhost.users import accounts
from tests.engines import Place
from tests.store.building import NOW, add_account, add_mailbox, check, key_of, new

T = TypeVar("T")

INBOX = "INBOX"
STEPS = 50
SYSTEM = {str(each.name): each for each in SystemFlag}

names = st.sampled_from([INBOX, "A", "B", "A/B", "A/B/C", "D"])
words = st.frozensets(st.sampled_from([*SYSTEM, "work", "play"]), max_size=3)
uid_sets = st.lists(st.integers(1, 12), unique=True, max_size=12).map(sorted)


@dataclass(frozen=True)
class Message:
    content: MessageId
    size: int
    words: frozenset[str]
    mod_seq: int


@dataclass
class Box:
    """A mailbox, as somebody would note it on paper."""

    key: MailboxKey
    uid_validity: int
    uid_next: int = 1
    version: int = 1
    messages: dict[int, Message] = field(default_factory=dict)
    expunged: dict[int, int] = field(default_factory=dict)

    def add(self, content: MessageId, size: int, words: frozenset[str]) -> None:
        self.messages[self.uid_next] = Message(content, size, words, self.version)
        self.uid_next += 1

    def take(self, uids: list[int]) -> list[int]:
        gone = [uid for uid in uids if uid in self.messages]
        self.version += bool(gone)
        for uid in gone:
            del self.messages[uid]
            self.expunged[uid] = self.version
        return gone


class Store(RuleBasedStateMachine):
    loop: asyncio.AbstractEventLoop
    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.account: AccountId = self.write(add_account, f"u{fresh()}")
        self.boxes: dict[str, Box] = {}
        self.validities: set[int] = set()
        self.versions: dict[MailboxKey, int] = {}
        self.heard: list[object] = []
        self.database._listeners[:] = [self.heard.extend]
        for name in (INBOX, "A", "B"):  # something to work on from the first step
            self.create(name)
            self.append([(name, frozenset({"work"}), 10), (name, frozenset({"SEEN", "play"}), 20)])

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(doing)

    def write(self, operation: Callable[..., Any], *arguments: Any) -> Any:
        return self.run(self.database.write(operation, *arguments))

    def refused(self, error: type[Refused], operation: Callable[..., Any], *arguments: Any) -> None:
        with pytest.raises(error):
            self.write(operation, *arguments)

    def made(self, found: Mailbox) -> Box:
        assert found.uid_validity not in self.validities
        self.validities.add(found.uid_validity)
        return Box(key_of(found), found.uid_validity)

    @rule(name=names)
    def create(self, name: str) -> None:
        if name in self.boxes:
            self.refused(MailboxExists, add_mailbox, self.account, name)
        else:
            self.boxes[name] = self.made(self.write(add_mailbox, self.account, name))

    @rule(wanted=st.lists(st.tuples(names, words, st.integers(1, 1000)), min_size=1, max_size=5))
    def append(self, wanted: list[tuple[str, frozenset[str], int]]) -> None:
        """Some at the same time, as they share a batch."""
        going = [(self.boxes[name], some, size) for name, some, size in wanted if name in self.boxes]
        requests = [new(box.key, size, bits(some), tuple(sorted(some - set(SYSTEM)))) for box, some, size in going]

        async def all_of_them() -> list[Any]:
            return await asyncio.gather(*(self.database.write(messages.append, request) for request in requests))

        placed = self.run(all_of_them())
        for (box, some, size), request, place in zip(going, requests, placed, strict=True):
            assert (place.uid_validity, place.uid) == (box.uid_validity, box.uid_next)
            box.version += 1
            box.add(request.message.message, size, some)

    @rule(source=names, there_name=names, uids=uid_sets, move=st.booleans())
    def copy(self, source: str, there_name: str, uids: list[int], move: bool) -> None:
        operation = messages.move if move else messages.copy
        there, here = self.boxes.get(there_name), self.boxes.get(source)
        if here is None:
            return
        if there is None:
            gone = MailboxKey(self.account, MailboxId(1))
            self.refused(TargetMissing, operation, here.key, uids, gone, NOW)
            return
        copied = self.write(operation, here.key, uids, there.key, NOW)
        going = [uid for uid in uids if uid in here.messages]
        assert list(copied.sources) == going
        assert list(copied.targets) == list(range(there.uid_next, there.uid_next + len(going)))
        there.version += bool(going)
        for uid in going:
            there.add(here.messages[uid].content, here.messages[uid].size, here.messages[uid].words)
        if move:
            here.take(going)

    @rule(
        name=names,
        uids=uid_sets,
        action=st.sampled_from(FlagAction),
        some=words,
        since=st.none() | st.integers(0, 12),
    )
    def store(self, name: str, uids: list[int], action: FlagAction, some: frozenset[str], since: int | None) -> None:
        box = self.boxes.get(name)
        if box is None:
            return
        wanted = tuple(Uid(uid) for uid in uids)
        limit = None if since is None else ModSeq(since)
        request = FlagChange(box.key, wanted, action, Flags(bits(some)), tuple(sorted(some - set(SYSTEM))), limit)
        now = self.write(flags.change, request)
        here = [uid for uid in uids if uid in box.messages]
        failed = [uid for uid in here if since is not None and box.messages[uid].mod_seq > since]
        after = {uid: changed(box.messages[uid].words, action, some) for uid in here if uid not in failed}
        assert list(now.failed) == failed
        different = [uid for uid, words_now in after.items() if words_now != box.messages[uid].words]
        box.version += bool(different)
        assert (now.mod_seq, [uid for uid, _ in now.messages]) == (box.version, list(after))
        for uid in different:
            box.messages[uid] = replace(box.messages[uid], words=after[uid], mod_seq=box.version)

    @rule(name=names, uids=uid_sets, only=st.booleans())
    def expunge(self, name: str, uids: list[int], only: bool) -> None:
        box = self.boxes.get(name)
        if box is None:
            return
        gone = self.write(messages.expunge, box.key, uids, NOW, Flags(SystemFlag.DELETED if only else 0))
        deleted = [uid for uid in uids if uid in box.messages and "DELETED" in box.messages[uid].words]
        assert gone == box.take(deleted if only else uids)

    @rule(old=names, new_name=names)
    def rename(self, old: str, new_name: str) -> None:
        request = (mailboxes.rename, self.account, old, new_name)
        moved = {name: new_name + name[len(old) :] for name in self.boxes if f"{name}/".startswith(old + "/")}
        if not moved:
            self.refused(MailboxMissing, *request)
        elif INBOX in (old, new_name) or new_name.startswith(old + "/"):
            self.refused(MailboxProtected, *request)
        elif old == new_name or {new_name, *moved.values()} & (set(self.boxes) - set(moved)):
            self.refused(MailboxExists, *request)
        else:
            self.write(*request)
            self.boxes |= {target: self.boxes.pop(name) for name, target in moved.items()}

    @rule(name=names)
    def delete(self, name: str) -> None:
        request = (mailboxes.remove, self.account, name, NOW)
        if name not in self.boxes and any(each.startswith(name + "/") for each in self.boxes):
            self.refused(MailboxHasChildren, *request)
        elif name not in self.boxes:
            self.refused(MailboxMissing, *request)
        elif name == INBOX:
            self.refused(MailboxProtected, *request)
        else:
            self.write(*request)
            del self.boxes[name]

    @rule(name=names)
    def empty_inbox(self, name: str) -> None:
        def empty(tx: Transaction) -> Mailbox:
            validity = accounts.next_uid_validity(tx, self.account, NOW)
            return mailboxes.empty_into(tx, self.account, MailboxId(fresh()), name, validity, NOW)

        if name in self.boxes:
            self.refused(MailboxExists, empty)
            return
        inbox = self.boxes[INBOX]
        box = self.boxes[name] = self.made(self.write(empty))
        box.uid_next, box.version = inbox.uid_next, 2
        box.messages = {uid: replace(each, mod_seq=2) for uid, each in inbox.messages.items()}
        for uid in inbox.messages:
            inbox.expunged[uid] = inbox.version + 1
        inbox.messages.clear()
        inbox.version += 1

    @invariant()
    def tables_equal_the_model(self) -> None:
        found = self.run(self.database.read(mailboxes.list_all, self.account))
        assert {each.name: each.id for each in found} == {name: box.key.id for name, box in self.boxes.items()}
        for box in self.boxes.values():
            self.run(self.same(box))

    async def same(self, box: Box) -> None:
        found = await check(self.database, box.key)
        known = {bit: name for name, bit in (await self.database.read(mailboxes.keywords, box.key)).items()}
        counted = found.mailbox
        assert (counted.uid_validity, counted.uid_next) == (box.uid_validity, box.uid_next)
        assert counted.highest_mod_seq == box.version
        assert found.expunged == box.expunged
        assert {uid: (row[0], words_of(row[1], known), row[2]) for uid, row in found.rows.items()} == {
            uid: (each.content, each.words, each.mod_seq) for uid, each in box.messages.items()
        }
        assert counted.octets == sum(each.size for each in box.messages.values())
        assert counted.unseen == sum("SEEN" not in each.words for each in box.messages.values())

    @invariant()
    def changes_are_a_chain(self) -> None:
        """Each begins where the one before it ended, so that an index knows whether it missed one."""
        for change in self.heard:
            if isinstance(change, Changed):
                assert change.before == self.versions.get(change.mailbox, change.before)
                assert change.after == change.before + 1
                self.versions[change.mailbox] = change.after
                assert isinstance(change, Added | Flagged | Expunged)
        self.heard.clear()


def bits(some: frozenset[str]) -> int:
    return sum(SYSTEM[word] for word in some if word in SYSTEM)


def words_of(value: int, known: dict[Flags, str]) -> frozenset[str]:
    names_of: dict[int, str] = {int(bit): name for name, bit in SYSTEM.items()}
    names_of.update({int(bit): name for bit, name in known.items()})
    return frozenset(name for bit, name in names_of.items() if value & bit)


def changed(before: frozenset[str], action: FlagAction, some: frozenset[str]) -> frozenset[str]:
    return {FlagAction.SET: some, FlagAction.ADD: before | some, FlagAction.REMOVE: before - some}[action]


def run_machine(place: Place, steps: int) -> None:
    loop = asyncio.new_event_loop()

    async def opened() -> Database:
        return Database(await place.engine())

    Store.loop, Store.database = loop, loop.run_until_complete(opened())
    try:
        run_state_machine_as_test(
            Store,
            settings=settings(
                max_examples=steps // STEPS,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
    finally:
        loop.run_until_complete(Store.database.close())
        loop.close()


def test_the_store_does_what_the_model_does(place: Place) -> None:
    run_machine(place, 500)


@pytest.mark.soak
def test_the_store_does_what_the_model_does_for_long(place: Place) -> None:
    run_machine(place, 10_000)
