"""SEARCH carried out: what the index knows first, then rows by pages, then octets; each step looks at what the one before left."""

import asyncio
import time
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import IntEnum

from mailhost.ids import Uid
from mailhost.imap.search_keys import (
    All,
    Clock,
    Dated,
    Everything,
    Flagged,
    HasKeyword,
    Indexed,
    InField,
    InText,
    IsRecent,
    Key,
    Not,
    Numbered,
    Or,
    Sized,
)
from mailhost.imap.search_text import field_texts, folded, header_text, is_text, part_text
from mailhost.imap.sections import header_end
from mailhost.imap.session import PAGE, IMAPSession
from mailhost.imap.values import MessageSet, Range
from mailhost.message.dates import parse_date
from mailhost.message.headers import field_value
from mailhost.message.parts import leaves
from mailhost.message.structure import CACHED_FIELDS
from mailhost.store import messages
from mailhost.store.values import SEEN, Located, SystemFlag

TURN_SECONDS = 0.002
MOST_HEADER_OCTETS = 256 << 10
PAGE_OF_ARRAYS = 2000
READ_WHOLE_OCTETS = 256 << 10
STRETCH = 256 << 10
QUICK_OCTETS = 8 << 10
"""Of a header that are decoded and folded in the loop, once for each text that is looked for."""
MOST_PART_OCTETS = 4 << 20
MOST_TEXT_OCTETS = 16 << 20
"""Of one message that are searched."""


class Step(IntEnum):
    """What must be read of a message to answer a key."""

    INDEX = 0
    ROW = 1
    HEADER = 2
    BODY = 3


@dataclass(slots=True)
class Candidate:
    """A message, with as much of it as has been read."""

    uid: Uid
    number: int
    flags: int
    recent: bool
    located: Located | None = None
    arrived: date | None = None
    header: bytes = b""
    text: str = ""
    fields: dict[bytes, list[str]] | None = None
    """Fields that were looked at, folded: several keys may ask for one. b"" stands for the whole header."""


Check = Callable[[Candidate], bool]


def step_of(key: Key) -> Step:
    match key:
        case All(keys):
            return max(map(step_of, keys))
        case Or(one, other):
            return max(step_of(one), step_of(other))
        case Not(inner):
            return step_of(inner)
        case Dated() | Sized():
            return Step.ROW
        case InField(name):
            return Step.ROW if name.lower() in CACHED_FIELDS else Step.HEADER
        case InText():
            return Step.BODY
        case _:
            return Step.INDEX


async def search(session: IMAPSession, wanted: All) -> list[Candidate]:
    """The messages that the client knows of and for which every key holds, ascending."""
    search = _Search(session, _texts_in(wanted))
    flat = _flat(wanted)
    found = await search.known([key for key in flat if isinstance(key, Flagged)])
    for step in Step:
        keys = [key for key in flat if step_of(key) is step and not isinstance(key, Flagged)]
        if keys and found:
            found = await search.filtered(found, step, [search.check(key) for key in keys])
    return found


def _texts_in(key: Key) -> int:
    match key:
        case All(keys):
            return sum(map(_texts_in, keys))
        case Or(one, other):
            return _texts_in(one) + _texts_in(other)
        case Not(inner):
            return _texts_in(inner)
        case _:
            return int(isinstance(key, InField | InText))


def _flat(key: All) -> list[Key]:
    """Keys side by side, however they were put in parentheses."""
    return [each for inner in key.keys for each in (_flat(inner) if isinstance(inner, All) else [inner])]


@dataclass(slots=True)
class _Search:
    session: IMAPSession
    texts: int
    """How many are looked for."""
    turn: float = field(default_factory=time.perf_counter)

    async def known(self, flagged: Sequence[Flagged]) -> list[Candidate]:
        """What the client knows of, by flags: most searches ask for UNSEEN, and flags are one array."""
        mask = value = 0
        for each in flagged:
            if (value ^ each.value) & mask & each.mask:  # SEEN UNSEEN
                return []
            mask, value = mask | each.mask, value | each.value
        view, found = self.session.selected.view, list[Candidate]()
        exists = view.exists
        for first in range(1, exists + 1, PAGE_OF_ARRAYS):
            uids = view.uids(MessageSet(((first, min(first + PAGE_OF_ARRAYS - 1, exists)),)))
            flags = view.flags_of(uids, SystemFlag.DELETED)
            found += [
                Candidate(uid, number, flag, recent)
                for number, (uid, flag, recent) in enumerate(
                    zip(uids, flags, view.are_recent(uids), strict=True), first
                )
                if flag & mask == value
            ]
            await self._breathe()
        return found

    async def filtered(self, found: Sequence[Candidate], step: Step, checks: Sequence[Check]) -> list[Candidate]:
        left: list[Candidate] = []
        for start in range(0, len(found), PAGE):
            page = found[start : start + PAGE]
            if step >= Step.ROW:
                await self._read_rows(page)
            for each in page:
                if step >= Step.HEADER:
                    await self._read_octets(each, step)
                if await self._all_hold(each, checks):
                    left.append(each)
                each.located, each.header, each.text, each.fields = (
                    None,
                    b"",
                    "",
                    None,
                )  # of one page only is anything kept
                await self._breathe()
        return left

    async def _all_hold(self, each: Candidate, checks: Sequence[Check]) -> bool:
        """Where many texts are looked for in much of a message, elsewhere than in the loop."""
        header = len(each.header) + (len(each.located.header_cache) if each.located else 0)
        if (header + len(each.text) // 16) * self.texts > QUICK_OCTETS:
            return bool(await self.session.run_in_thread(lambda: all(check(each) for check in checks)))
        return all(check(each) for check in checks)

    async def _breathe(self) -> None:
        if time.perf_counter() - self.turn > TURN_SECONDS:
            await asyncio.sleep(0)
            self.turn = time.perf_counter()

    # Reading.

    async def _read_rows(self, page: Sequence[Candidate]) -> None:
        wanted = [each.uid for each in page if each.located is None]
        key, takes = self.session.selected.key, self.session.takes
        located = {each.uid: each for each in await self.session.read_store(messages.locate, key, wanted, takes)}
        served = {each.uid: each for each in await self.session.read_store(messages.serve, key, wanted, takes)}
        for each in page:
            if each.uid in located and each.uid in served:
                each.located = located[each.uid]
                each.arrived = _day(served[each.uid].internal_date)

    async def _read_octets(self, each: Candidate, step: Step) -> None:
        located = each.located
        if located is None:
            return
        content = await self.session.services.blobs.whole(located) if located.size <= READ_WHOLE_OCTETS else None
        octets = _Octets(self.session, located, content)
        each.header = await octets.between(0, min(header_end(located), MOST_HEADER_OCTETS))
        if step is Step.BODY:
            each.text = "\n".join([text async for text in self._texts(located, octets, each.header)])

    async def _texts(self, located: Located, whole: "_Octets", header: bytes) -> AsyncIterator[str]:
        """The folded text of each leaf that people read; others are not even loaded."""
        ahead, left = len(located.prefix), MOST_TEXT_OCTETS
        for leaf in leaves(located.parts):
            top = leaf.header_start == 0
            own = (
                header
                if top
                else await whole.between(
                    ahead + leaf.header_start,
                    ahead + min(leaf.body_start, leaf.header_start + MOST_HEADER_OCTETS),
                )
            )
            if left > 0 and is_text(own):
                octets = min(leaf.end - leaf.body_start, MOST_PART_OCTETS, left)
                left -= octets
                body = await whole.between(ahead + leaf.body_start, ahead + leaf.body_start + octets)
                yield await self._part_text(own, body)

    async def _part_text(self, header: bytes, body: bytes) -> str:
        if len(body) <= 32 << 10:
            return folded(part_text(header, body))
        text: str = await self.session.run_in_thread(lambda: folded(part_text(header, body)))
        return text

    # Checking.

    def check(self, key: Key) -> Check:
        """A key as a question to a candidate."""
        match key:
            case Everything():
                return lambda _: True
            case Flagged(mask, value):
                return lambda each: each.flags & mask == value
            case IsRecent(recent, unseen):
                return lambda each: each.recent == recent and not (unseen and each.flags & SEEN)
            case HasKeyword(name, present):
                bit = self.session.selected.flag_names.bits(name)
                return lambda each: bool(each.flags & bit) == present
            case Indexed(holds):
                view = self.session.selected.view
                return lambda each: holds(view, each.uid)
            case Numbered(chosen):
                return self._numbered(chosen)
            case Not(inner):
                refuse = self.check(inner)
                return lambda each: not refuse(each)
            case Or(one, other):
                first, second = self.check(one), self.check(other)
                return lambda each: first(each) or second(each)
            case All(keys):
                checks = [self.check(each) for each in keys]
                return lambda each: all(check(each) for check in checks)
            case _:
                return _stored_check(key)

    def _numbered(self, chosen: MessageSet) -> Check:
        view = self.session.selected.view
        ranges = chosen.up_to(view.last_uid if chosen.by_uid else view.exists)
        lows = [low for low, _ in ranges]
        if chosen.by_uid:
            return lambda each: _within(each.uid, lows, ranges)
        return lambda each: _within(each.number, lows, ranges)


@dataclass(frozen=True, slots=True)
class _Octets:
    """The octets of one message: of a small one all at once, of a large one what is asked for."""

    session: IMAPSession
    located: Located
    content: bytes | None

    async def between(self, start: int, end: int) -> bytes:
        if start >= end:
            return b""
        if self.content is not None:
            return self.content[start:end]
        return b"".join([piece async for piece in self.session.services.blobs.pieces(self.located, start, end)])


def _stored_check(key: Key) -> Check:
    match key:
        case Sized(compare, octets):
            return lambda each: each.located is not None and compare(each.located.size, octets)
        case Dated(clock, compare_days, day):
            return lambda each: _holds(compare_days, _date(each, clock), day)
        case InField(name, text):
            looked_for = folded(text)
            return lambda each: any(looked_for in value for value in _folded_field(each, name))
        case InText(text, header_too):
            return _in_text(folded(text), header_too)
        case _:
            raise AssertionError(key)


def _in_text(looked_for: str, header_too: bool) -> Check:
    def check(each: Candidate) -> bool:
        return _contains(each.text, looked_for) or (header_too and looked_for in _folded_field(each, b"")[0])

    return check


def _contains(text: str, looked_for: str) -> bool:
    """In stretches: one look through 16 MB would keep the interpreter from the loop, wherever it runs."""
    return any(
        text.find(looked_for, start, start + STRETCH + len(looked_for) - 1) >= 0
        for start in range(0, len(text) or 1, STRETCH)
    )


def _folded_field(each: Candidate, name: bytes) -> list[str]:
    if each.fields is None:
        each.fields = {}
    if name not in each.fields:
        values = _field(each, name) if name else [header_text(each.header)]
        each.fields[name] = [folded(value) for value in values]
    return each.fields[name]


def _field(each: Candidate, name: bytes) -> list[str]:
    """A field that the row keeps is taken from there."""
    if each.located is None:
        return []
    if name.lower() in CACHED_FIELDS and each.located.header_cache:
        return field_texts(each.located.header_cache, name)
    return field_texts(each.header, name)


def _holds(compare: Callable[[date, date], bool], found: date | None, day: date) -> bool:
    return found is not None and compare(found, day)


def _date(each: Candidate, clock: Clock) -> date | None:
    if clock is Clock.INTERNAL or each.located is None:
        return each.arrived
    value = field_value(each.located.header_cache, b"date")
    return None if value is None else sent_day(value)


def sent_day(value: bytes) -> date | None:
    """The day that a Date field names where it was written: its zone is left out of account."""
    found = parse_date(value)
    if found is None:
        return None
    zoneless = parse_date(_without_zone(value))
    return _day(found if zoneless is None else zoneless)


def _without_zone(value: bytes) -> bytes:
    words = value.split(b"(")[0].split()
    while words and b":" not in words[-1] and len(words) > 4:
        words.pop()
    return b" ".join(words)


def _day(moment: int) -> date:
    try:
        return datetime.fromtimestamp(moment / 1000, UTC).date()
    except (OverflowError, ValueError, OSError):
        return date.max if moment > 0 else date.min


def _within(number: int, lows: Sequence[int], ranges: Sequence[Range]) -> bool:
    place = bisect_right(lows, number) - 1
    return place >= 0 and number <= ranges[place][1]
