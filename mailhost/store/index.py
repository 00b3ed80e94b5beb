"""The mailbox in memory: one index per open mailbox and process, shared by all its sessions.

Arrays of UID, flags and mod-sequence: 16 octets a message, 800 KB for 50,000. FETCH of all flags from them takes 14 ms, from SQL 39.
An index follows the changes that are published after each commit: it applies one only when its version equals the change's
`before`, ignores it at or past `after`, and otherwise reads the difference. Other processes send hints; a lost hint costs 30 seconds.
"""

import asyncio
from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import compress, takewhile
from operator import itemgetter
from typing import Any, Protocol, TypeAlias

from sqlalchemy import Select, Table, select

from mailhost.database.database import Database
from mailhost.database.errors import CommitFailed
from mailhost.database.hints import Hints, Kind
from mailhost.database.marks import LONG_ROWS, long
from mailhost.database.transaction import Transaction
from mailhost.ids import MailboxId, ModSeq, Uid
from mailhost.store import mailboxes
from mailhost.store.changes import Added, Change, Expunged, Flagged, Removed
from mailhost.store.errors import MailboxMissing
from mailhost.store.tables import expunged_message, mailbox_message
from mailhost.store.values import Flags, Mailbox, MailboxKey

HISTORY = 1000
"""Flag changes an index remembers; a view that lags further looks through the mod-sequences."""
KEPT = 64
"""Indexes kept after their last session left."""
FEW = 8
"""Runs of expunged neighbours that are taken out one by one; for more the arrays are made anew."""
CHECK_EVERY = timedelta(seconds=30)

_FIRST, _SECOND = itemgetter(0), itemgetter(1)

Row: TypeAlias = tuple[Uid, Flags, ModSeq]


class Watcher(Protocol):
    """A view of one session: it hears at once, and tells its client when the protocol allows."""

    def messages_expunged(self, uids: Sequence[Uid]) -> None: ...
    def changed(self) -> None:
        """Something is new: messages, flags or expunges. Wakes an IDLE."""

    def mailbox_removed(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A mailbox as read in one transaction."""

    mailbox: Mailbox
    uids: "array[int]"
    flags: "array[int]"
    mod_seqs: "array[int]"


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed in a mailbox since a version."""

    version: ModSeq
    rows: tuple[Row, ...]
    expunged: tuple[Uid, ...]


@long
def load(tx: Transaction, key: MailboxKey) -> Snapshot:
    """The whole of a mailbox. Raises `MailboxMissing`."""
    found = mailboxes.get(tx, key)
    uids, flags, mod_seqs = array("I"), array("I"), array("Q")
    rows = tx.execute(
        select(mailbox_message.c.uid, mailbox_message.c.flags, mailbox_message.c.mod_seq)
        .where(mailbox_message.c.account_id == key.account, mailbox_message.c.mailbox_id == key.id)
        .order_by(mailbox_message.c.uid)
    )
    for uid, flag, mod_seq in rows:  # type: ignore[misc]  # columns of a Table have no types
        uids.append(uid)
        flags.append(flag)
        mod_seqs.append(mod_seq)
    return Snapshot(found, uids, flags, mod_seqs)


def load_small(tx: Transaction, key: MailboxKey) -> Snapshot:
    """`load` for a mailbox of few messages: in the loop's thread it takes less than a hop to another."""
    return load(tx, key)


def difference(tx: Transaction, key: MailboxKey, since: ModSeq) -> Difference | None:
    """What changed after `since`; None if it is so much that `long_difference` must read it. Raises `MailboxMissing`."""
    return _difference(tx, key, since, LONG_ROWS)


@long
def long_difference(tx: Transaction, key: MailboxKey, since: ModSeq) -> Difference:
    """What changed after `since`, however much. Raises `MailboxMissing`."""
    found = _difference(tx, key, since, None)
    assert found is not None
    return found


def _difference(tx: Transaction, key: MailboxKey, since: ModSeq, most: int | None) -> Difference | None:
    version = mailboxes.get(tx, key).highest_mod_seq
    if version <= since:
        return Difference(version, (), ())
    limit = None if most is None else most + 1
    rows = tx.execute(_changed(mailbox_message, ("uid", "flags", "mod_seq"), key, since).limit(limit)).all()
    expunged = tx.execute(_changed(expunged_message, ("uid",), key, since).limit(limit)).scalars().all()
    if most is not None and len(rows) + len(expunged) > most:
        return None
    return Difference(version, tuple((row.uid, row.flags, row.mod_seq) for row in rows), tuple(expunged))


def _changed(table: Table, columns: Sequence[str], key: MailboxKey, since: ModSeq) -> Select[Any]:
    here = table.c.account_id == key.account, table.c.mailbox_id == key.id
    return select(*(table.c[name] for name in columns)).where(*here, table.c.mod_seq > since).order_by(table.c.uid)


class MailboxIndex:
    """One mailbox, as all its sessions share it."""

    __slots__ = (
        "_behind",
        "_history",
        "flags",
        "gone",
        "key",
        "mod_seqs",
        "recent_next",
        "uid_validity",
        "uids",
        "version",
        "watchers",
    )

    def __init__(self, snapshot: Snapshot) -> None:
        self.key = MailboxKey(snapshot.mailbox.account, snapshot.mailbox.id)
        self.uid_validity = snapshot.mailbox.uid_validity
        self.version = snapshot.mailbox.highest_mod_seq
        self.uids, self.flags, self.mod_seqs = snapshot.uids, snapshot.flags, snapshot.mod_seqs
        self.watchers: list[Watcher] = []
        self.gone = False
        self.recent_next = Uid(0)
        """Messages below it were recent to one of the sessions here, and are to no other (RFC 3501 section 2.3.2)."""
        self._history: deque[tuple[ModSeq, tuple[Uid, ...]]] = deque(maxlen=HISTORY)
        self._behind = self.version

    def __len__(self) -> int:
        return len(self.uids)

    def place(self, uid: Uid) -> int | None:
        """Where a message stands in the arrays."""
        place = bisect_left(self.uids, uid)
        return place if place < len(self.uids) and self.uids[place] == uid else None

    def flags_of(self, uid: Uid) -> Flags | None:
        place = self.place(uid)
        return None if place is None else Flags(self.flags[place])

    def flagged_since(self, version: ModSeq, known: Collection[ModSeq] = ()) -> list[Uid]:
        """Messages here whose flags changed after `version`, ascending; without those whose last change is among `known`."""
        if version >= self.version:
            return []
        if version < self._behind:
            changed = zip(self.uids, self.mod_seqs, strict=True)
            return [Uid(uid) for uid, mod_seq in changed if mod_seq > version and mod_seq not in known]
        later = takewhile(lambda entry: entry[0] > version, reversed(self._history))  # the oldest stands first
        uids = {uid for mod_seq, some in later if mod_seq not in known for uid in some}
        told = {None, *known}
        return [uid for uid in sorted(uids) if self._mod_seq(uid) not in told]

    def _mod_seq(self, uid: Uid) -> int | None:
        place = self.place(uid)
        return None if place is None else self.mod_seqs[place]

    def apply(self, change: Change) -> bool:
        """Follow one published change; answers False when one before it was missed."""
        if self.version >= change.after:
            return True
        if self.version != change.before:
            return False
        match change:
            case Added():
                self._add((uid, flags, change.after) for uid, flags in change.messages)
            case Flagged():
                self._flag_many(change.messages, change.after)
                self._remember(change.after, tuple(uid for uid, _ in change.messages))
            case Expunged():
                self._expunge(change.uids)
        self.version = change.after
        return True

    def catch_up(self, missed: Difference) -> None:
        """Follow what was read instead of heard."""
        if missed.version <= self.version:
            return
        last = self.uids[-1] if self.uids else 0
        self._expunge([uid for uid in missed.expunged if self.place(uid) is not None])
        self._flag(row for row in missed.rows if row[0] <= last)
        self._add(row for row in missed.rows if row[0] > last)
        self.version = self._behind = missed.version
        self._history.clear()

    def tell(self) -> None:
        for watcher in self.watchers:
            watcher.changed()

    def remove(self) -> None:
        self.gone = True
        for watcher in list(self.watchers):
            watcher.mailbox_removed()

    def _add(self, rows: Iterable[Row]) -> None:
        for uid, flags, mod_seq in rows:
            self.uids.append(uid)
            self.flags.append(flags)
            self.mod_seqs.append(mod_seq)

    def _flag(self, rows: Iterable[Row]) -> None:
        """Ascending, as changes and differences are: a run of neighbours needs one search."""
        expected = 0
        for uid, flags, mod_seq in rows:
            place: int | None = expected
            if expected >= len(self.uids) or self.uids[expected] != uid:
                place = self.place(uid)
            if place is not None:
                self.flags[place], self.mod_seqs[place] = flags, mod_seq
                expected = place + 1

    def _flag_many(self, messages: Sequence[tuple[Uid, Flags]], mod_seq: ModSeq) -> None:
        """A run of neighbours, as STORE 1:* is one, is a slice of each array: 50,000 at once held everybody up for 15 ms."""
        uids = array("I", map(_FIRST, messages))
        start = self.place(Uid(uids[0])) if uids else None
        if start is None or self.uids[start : start + len(uids)] != uids:
            self._flag((uid, flags, mod_seq) for uid, flags in messages)
            return
        end = start + len(uids)
        self.flags[start:end] = array("I", map(_SECOND, messages))
        self.mod_seqs[start:end] = array("Q", (mod_seq,)) * len(uids)

    def _remember(self, version: ModSeq, uids: tuple[Uid, ...]) -> None:
        if len(uids) > HISTORY:  # too much to remember: the mod-sequences tell it
            self._history.clear()
            self._behind = version
            return
        if len(self._history) == HISTORY:
            self._behind = self._history[0][0]
        self._history.append((version, uids))

    def _expunge(self, uids: Sequence[Uid]) -> None:
        if not uids:
            return
        runs = self._runs(uids)
        if len(runs) > FEW:
            self._keep_others(set(uids))
        else:
            for start, end in reversed(runs):
                del self.uids[start:end], self.flags[start:end], self.mod_seqs[start:end]
        for watcher in self.watchers:
            watcher.messages_expunged(uids)

    def _runs(self, uids: Sequence[Uid]) -> list[tuple[int, int]]:
        """Where some messages stand, ascending as they are: the places of each run of neighbours."""
        runs: list[tuple[int, int]] = []
        start = end = 0
        for uid in uids:
            if end < len(self.uids) and self.uids[end] == uid and end > start:
                end += 1
            elif (place := self.place(uid)) is not None:
                runs.append((start, end))
                start, end = place, place + 1
        return [*runs, (start, end)][1:]

    def _keep_others(self, gone: set[Uid]) -> None:
        """Each array made anew, in its place: sessions hold on to them."""
        kept = [uid not in gone for uid in self.uids]
        for values in (self.uids, self.flags, self.mod_seqs):
            values[:] = array(values.typecode, compress(values, kept))


class Indexes:
    """The indexes of one process, and how they follow what is committed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._indexes: dict[MailboxId, MailboxIndex] = {}
        self._opening: dict[MailboxId, asyncio.Task[MailboxIndex]] = {}
        self._refreshing: dict[MailboxId, asyncio.Task[None]] = {}
        self._wanted: dict[MailboxId, ModSeq] = {}
        database.subscribe(self.published)

    async def open(self, mailbox: Mailbox, watcher: Watcher) -> MailboxIndex:
        """The index of a mailbox, watched from now on. Raises `MailboxMissing`."""
        while True:
            index = self._indexes.get(mailbox.id)
            if index is None:
                index = await self._load(mailbox)
            else:
                await self.refresh(index)
            if index.gone:
                raise MailboxMissing
            if self._indexes.get(mailbox.id) is index:  # else it was dropped as idle while we waited
                index.watchers.append(watcher)
                return index

    def close(self, index: MailboxIndex, watcher: Watcher) -> None:
        if watcher in index.watchers:
            index.watchers.remove(watcher)
        idle = [each for each in self._indexes.values() if not each.watchers]
        for each in idle[: max(len(idle) - KEPT, 0)]:
            del self._indexes[each.key.id]

    def published(self, changes: Sequence[object]) -> None:
        """After each commit of this process, before its callers go on."""
        touched: dict[MailboxId, MailboxIndex] = {}
        for change in changes:
            if isinstance(change, Added | Flagged | Expunged):
                index = self._indexes.get(change.mailbox.id)
                if index is not None:
                    if not index.apply(change):
                        self._refresh_soon(index, change.after)
                    touched[change.mailbox.id] = index
            elif isinstance(change, Removed):
                removed = self._indexes.pop(change.mailbox.id, None)
                if removed is not None:
                    removed.remove()
        for index in touched.values():
            index.tell()

    def recent_next(self, mailbox: MailboxId) -> Uid:
        """Messages below it were recent to a session that still has the mailbox open."""
        index = self._indexes.get(mailbox)
        return Uid(0) if index is None else index.recent_next

    def listen(self, hints: Hints, every: timedelta = CHECK_EVERY) -> "asyncio.Task[None]":
        """Follow what other processes commit. The task is the caller's to watch and to cancel."""
        look = asyncio.Event()
        hints.subscribe(Kind.MAILBOX, lambda hint: self.hinted(MailboxId(hint.id), ModSeq(hint.version)))
        hints.subscribe(Kind.ANYTHING, lambda _: look.set())
        return asyncio.create_task(self._check_again_and_again(look, every), name="index check")

    async def _check_again_and_again(self, look: asyncio.Event, every: timedelta) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(look.wait(), every.total_seconds())
            look.clear()
            with suppress(CommitFailed):  # the database cannot be asked now: the next time
                await self.check()

    def hinted(self, mailbox: MailboxId, version: ModSeq) -> None:
        """Another process changed a mailbox: look, if it is open here and older."""
        index = self._indexes.get(mailbox)
        if index is not None and index.version < version:
            self._refresh_soon(index, version)

    async def check(self) -> None:
        """Compare every open index with the database: a lost hint costs no more than the time between two checks."""
        keys = [index.key for index in self._indexes.values()]
        now = await self._database.read(mailboxes.versions, keys)
        for key in keys:
            index = self._indexes.get(key.id)
            if index is not None and index.version < now.get(key.id, ModSeq(1 << 62)):
                await self.refresh(index)

    async def follow(self, index: MailboxIndex) -> None:
        """After a write of this process: an index that had missed what another process did is just reading it, and this waits for that."""
        reading = self._refreshing.get(index.key.id)
        if reading is not None:
            await asyncio.wait([reading])

    async def refresh(self, index: MailboxIndex) -> None:
        """Read what the index has missed, if anything, and tell those who watch it."""
        before = index.version
        try:
            missed = await self._database.read(difference, index.key, index.version)
            if missed is None:
                missed = await self._database.read(long_difference, index.key, index.version)
            index.catch_up(missed)
        except MailboxMissing:
            if self._indexes.get(index.key.id) is index:
                del self._indexes[index.key.id]
            index.remove()
        if index.version != before:
            index.tell()

    async def _load(self, mailbox: Mailbox) -> MailboxIndex:
        """Once, however many sessions ask at the same time."""
        task = self._opening.get(mailbox.id)
        if task is None:
            task = asyncio.create_task(self._read(mailbox))
            self._opening[mailbox.id] = task
            task.add_done_callback(lambda done: self._opened(mailbox.id, done))
        return await asyncio.shield(task)

    def _opened(self, mailbox: MailboxId, task: "asyncio.Task[MailboxIndex]") -> None:
        del self._opening[mailbox]
        if not task.cancelled():
            task.exception()  # those who wait have it; whoever went away does not want it

    async def _read(self, mailbox: Mailbox) -> MailboxIndex:
        read = load if mailbox.messages > LONG_ROWS else load_small
        index = MailboxIndex(await self._database.read(read, MailboxKey(mailbox.account, mailbox.id)))
        self._indexes[mailbox.id] = index
        await self.refresh(index)  # what was committed while it was read in a thread
        return index

    def _refresh_soon(self, index: MailboxIndex, version: ModSeq) -> None:
        """At least up to `version`: what is read already may have begun before that was committed."""
        id_ = index.key.id
        self._wanted[id_] = max(version, self._wanted.get(id_, version))
        if id_ not in self._refreshing:
            self._refreshing[id_] = asyncio.create_task(self._refresh_up_to_wanted(index))

    async def _refresh_up_to_wanted(self, index: MailboxIndex) -> None:
        try:
            with suppress(CommitFailed):  # the check comes again
                while index.version < self._wanted.pop(index.key.id, ModSeq(0)) and not index.gone:
                    await self.refresh(index)
        finally:
            del self._refreshing[index.key.id]  # in the turn of the last look: who asks from now on begins anew
