"""What one client believes of its mailbox: message numbers to UIDs, and what it may be told when (RFC 3501 sections 5.5, 7.4.1).

The index is shared and moves on with every commit. A client's numbers stand still until it is told: they count the messages of
the index up to the last UID told, merged with those that left the index and of which the client has not heard. So a view holds
no copy of the UIDs, only what was expunged untold: for most clients nothing, at most the messages that were told.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from mailhost.conversation.command import SyntaxProblem
from mailhost.ids import ModSeq, Uid
from mailhost.imap.values import MessageNumber, MessageSet, Range, merged
from mailhost.store.values import Flags

NUMBERS_STAND = frozenset({"FETCH", "STORE", "SEARCH"})
"""While one of these is answered no EXPUNGE may be sent (RFC 3501 section 7.4.1). UID FETCH is not one of these."""
FEW_BETWEEN = 6
"""Messages for each one that is looked up: up to so many it is faster to count them all than to bisect for each."""


class Index(Protocol):
    """What a view needs of the index that sessions share: `mailhost.store.index.MailboxIndex`."""

    @property
    def uids(self) -> Sequence[int]: ...
    @property
    def flags(self) -> Sequence[int]: ...
    @property
    def mod_seqs(self) -> Sequence[int]: ...
    @property
    def version(self) -> ModSeq: ...

    recent_next: Uid
    """Messages below it were recent to some session."""

    def place(self, uid: Uid) -> int | None: ...
    def flagged_since(self, version: ModSeq, known: Collection[ModSeq] = ()) -> list[Uid]: ...


@dataclass(frozen=True, slots=True)
class News:
    """What is to be told now, in this order."""

    expunged: tuple[MessageNumber, ...] = ()
    """Each number as it is after the EXPUNGEs before it."""
    exists: int | None = None
    recent: int | None = None
    flags: tuple[Uid, ...] = ()
    """Messages whose flags others changed."""


class View:
    """One client's picture of one mailbox; a `Watcher` of its index."""

    __slots__ = ("_last_told", "_own", "_recent", "_untold", "_version", "_wake", "claims", "gone", "index")

    index: Index

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake
        self.gone = False
        """Whether the mailbox itself was deleted."""
        self._untold: list[Uid] = []
        """Expunged, but not for this client yet; ascending."""
        self._own: set[ModSeq] = set()
        """The changes of flags that this client knows already, because it made them: each has a mod-sequence of its own."""

    def begin(self, index: Index, recent_from: Uid, *, claims: bool = True) -> None:
        """From here on the client hears of changes; what is in the index now, SELECT tells it.

        With `claims` what it hears of first is recent to nobody else (RFC 3501 section 2.3.2); EXAMINE leaves it to others.
        """
        self.index = index
        self.claims = claims
        self._last_told = 0
        self._recent: list[Range] = []
        self._tell_messages(recent_from)
        self._version = index.version

    @property
    def version(self) -> ModSeq:
        """The newest change of flags that the client has been told, or knows because it made it."""
        return self._version

    @property
    def is_current(self) -> bool:
        """Whether the client knows the flags of all its messages."""
        return self._version >= self.index.version

    @property
    def last_told(self) -> Uid:
        """The newest message that the client has heard of."""
        return Uid(self._last_told)

    # What the index tells.

    def messages_expunged(self, uids: Sequence[Uid]) -> None:
        told = [uid for uid in uids if uid <= self._last_told]
        if len(told) > 8:
            self._untold = sorted([*self._untold, *told])
        else:
            for uid in told:
                insort(self._untold, uid)

    def changed(self) -> None:
        self._wake()

    def mailbox_removed(self) -> None:
        self.gone = True
        self._wake()

    # Numbers and UIDs.

    @property
    def exists(self) -> int:
        """How many messages the client knows of."""
        return self._here(self._last_told) + len(self._untold)

    @property
    def recent(self) -> int:
        """How many of them are recent."""
        return sum(_among(self.index.uids, each) + _among(self._untold, each) for each in self._recent)

    @property
    def last_uid(self) -> int:
        """The largest UID in use, as the client knows it; 0 in an empty mailbox."""
        here = self._here(self._last_told)
        last = self.index.uids[here - 1] if here else 0
        return max(last, self._untold[-1]) if self._untold else last

    def number(self, uid: Uid) -> MessageNumber:
        """The number of a message that the client knows of."""
        return MessageNumber(bisect_left(self.index.uids, uid) + bisect_left(self._untold, uid) + 1)

    def numbers(self, uids: Sequence[Uid]) -> Sequence[int]:
        """`number` for ascending UIDs; for a run of neighbours it costs two look-ups."""
        if not uids:
            return ()
        first, last = self.number(uids[0]), self.number(uids[-1])
        if last - first + 1 == len(uids):
            return range(first, last + 1)
        if not self._untold:
            if last - first < FEW_BETWEEN * len(uids):
                chosen = set(uids)
                return [place for place, uid in enumerate(self.index.uids[first - 1 : last], first) if uid in chosen]
            return [bisect_left(self.index.uids, uid) + 1 for uid in uids]
        return [self.number(uid) for uid in uids]

    def uids(self, chosen: MessageSet) -> Sequence[Uid]:
        """The messages of a set, ascending. UIDs that are not there are left out; numbers that cannot be raise SyntaxProblem."""
        return self._by_uid(chosen) if chosen.by_uid else self._by_number(chosen)

    def _by_number(self, chosen: MessageSet) -> Sequence[Uid]:
        exists = self.exists
        if not exists:
            return ()
        ranges = chosen.up_to(exists)
        if ranges and (ranges[0][0] < 1 or ranges[-1][1] > exists):
            raise SyntaxProblem("No message has that number")
        uids: list[Any] = []
        if self._untold:
            for low, high in ranges:
                uids += self._slice(low - 1, high)
        else:
            for low, high in ranges:
                uids.extend(self.index.uids[low - 1 : high])
        return uids

    def _by_uid(self, chosen: MessageSet) -> Sequence[Uid]:
        uids: list[Any] = []
        here, end = self.index.uids, 0
        for low, high in chosen.up_to(self.last_uid):
            start = bisect_left(here, low, end)
            if low < high:
                end = bisect_right(here, min(high, self._last_told), start)
                uids.extend(here[start:end])
            elif start < len(here) and here[start] == low <= self._last_told:
                uids.append(low)
        return sorted([*uids, *self._untold_in(chosen)]) if self._untold else uids

    def _untold_in(self, chosen: MessageSet) -> Iterator[Uid]:
        for low, high in chosen.up_to(self.last_uid):
            yield from self._untold[bisect_left(self._untold, low) : bisect_right(self._untold, high)]

    def _slice(self, start: int, end: int) -> list[Uid]:
        """The messages at these places of the merged list."""
        before, until = self._untold_among(start), self._untold_among(end)
        here = list(map(Uid, self.index.uids[start - before : end - until]))
        return sorted([*here, *self._untold[before:until]]) if before < until else here

    def _untold_among(self, places: int) -> int:
        """How many of the first messages of the merged list are expunged untold ones."""
        return bisect_left(_MergedPlaces(self._untold, self.index.uids), places)

    def _here(self, uid: int) -> int:
        return bisect_right(self.index.uids, uid) if len(self.index.uids) else 0

    # Flags.

    def are_recent(self, uids: Sequence[Uid]) -> Sequence[bool]:
        """Whether each of some ascending UIDs is recent to this client."""
        if not self._recent or not uids or uids[0] > self._recent[-1][1] or uids[-1] < self._recent[0][0]:
            return (False,) * len(uids)
        if any(low <= uids[0] and uids[-1] <= high for low, high in self._recent):
            return (True,) * len(uids)
        lows = [low for low, _ in self._recent]
        ranges = [(0, 0), *self._recent]
        return [uid <= ranges[bisect_right(lows, uid)][1] for uid in uids]

    def flags(self, uid: Uid) -> Flags | None:
        """None for a message that is expunged, but not for this client."""
        place = self.index.place(uid)
        return None if place is None else Flags(self.index.flags[place])

    def flags_of(self, uids: Sequence[Uid], of_expunged: int) -> list[int]:
        """Flags of ascending UIDs; a run of neighbours is one slice."""
        if not uids:
            return []
        first, last = self.index.place(uids[0]), self.index.place(uids[-1])
        if first is not None and last is not None and last - first + 1 == len(uids):
            return list(self.index.flags[first : last + 1])
        flags = self.index.flags
        return [of_expunged if place is None else flags[place] for place in self._places(uids)]

    def mod_seqs_of(self, uids: Sequence[Uid]) -> Sequence[int]:
        """Mod-sequences of ascending UIDs. One that is expunged, but not for this client, changed last when it went: not after now."""
        if not uids:
            return ()
        first, last = self.index.place(uids[0]), self.index.place(uids[-1])
        if first is not None and last is not None and last - first + 1 == len(uids):
            return self.index.mod_seqs[first : last + 1]
        version, mod_seqs = self.index.version, self.index.mod_seqs
        return [version if place is None else mod_seqs[place] for place in self._places(uids)]

    def _places(self, uids: Sequence[Uid]) -> Iterator[int | None]:
        """Where ascending UIDs stand in the index; None for one that is expunged, but not for this client."""
        here, place = self.index.uids, 0
        for uid in uids:
            place = bisect_left(here, uid, place)
            yield place if place < len(here) and here[place] == uid else None

    def knows(self, mod_seq: ModSeq) -> None:
        """The client needs not hear of a change of flags that it made itself."""
        self._own.add(mod_seq)

    # What is to be told.

    def news(self, *, expunges: bool) -> News:
        """What the client may hear now; from now on it is told. An EXISTS never shrinks what EXPUNGE has not shrunk."""
        before = self.exists
        expunged = self._tell_expunged() if expunges else ()
        left = before - len(expunged)
        flags = self._tell_flags()  # of messages that were told before: SELECT's and EXISTS's are fetched by the client
        self._tell_messages(Uid(0))
        exists = self.exists
        grown = exists != left
        return News(expunged, exists if grown else None, self.recent if grown else None, flags)

    def _tell_messages(self, recent_from: Uid) -> None:
        """The client hears of all that are there; those are recent of which no other has heard."""
        last = self.index.uids[-1] if len(self.index.uids) else 0
        if last <= self._last_told:
            return
        low = max(self._last_told + 1, recent_from, self.index.recent_next)
        if low <= last:
            self._recent = merged([*self._recent, (low, last)])
        self._last_told = last
        if self.claims:
            self.index.recent_next = max(self.index.recent_next, Uid(last + 1))

    def _tell_expunged(self) -> tuple[MessageNumber, ...]:
        numbers = tuple(MessageNumber(bisect_left(self.index.uids, uid) + 1) for uid in self._untold)
        self._untold = []
        return numbers

    def _tell_flags(self) -> tuple[Uid, ...]:
        if self._version >= self.index.version:
            return ()
        changed = self.index.flagged_since(self._version, self._own)
        self._version = self.index.version
        self._own = {mod_seq for mod_seq in self._own if mod_seq > self._version}
        return tuple(changed[: bisect_right(changed, self._last_told)])


def _among(uids: Sequence[int], within: Range) -> int:
    return bisect_right(uids, within[1]) - bisect_left(uids, within[0])


class _MergedPlaces(Sequence[int]):
    """Where in the merged list each expunged, untold message stands; ascending, so that it can be bisected."""

    def __init__(self, untold: Sequence[Uid], uids: Sequence[int]) -> None:
        self._untold, self._uids = untold, uids

    def __len__(self) -> int:
        return len(self._untold)

    def __getitem__(self, place: int) -> int:  # type: ignore[override]  # bisect asks for single places only
        return bisect_left(self._uids, self._untold[place]) + place
