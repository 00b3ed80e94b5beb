"""SEARCH carried out: what the index knows first, then rows by pages, then octets; each step looks at what the one before left."""

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import IntEnum
from typing import Any

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
from mailhost.imap.search_text import BETWEEN, WHOLE_HEADER, folded, folded_fields, holds, is_text, part_text
from mailhost.imap.sections import header_end
from mailhost.imap.session import PAGE, IMAPSession
from mailhost.imap.turns import Turn
from mailhost.imap.values import MessageSet, Range
from mailhost.message import parts
from mailhost.message.dates import parse_date
from mailhost.message.headers import field_value
from mailhost.message.structure import CACHED_FIELDS
from mailhost.store import messages
from mailhost.store.values import SEEN, Located, SystemFlag

MOST_HEADER_OCTETS = 256 << 10
PAGE_OF_ARRAYS = 500
FIRST_PAGE = 16
"""Who asks for one message only shall not wait for many to be read."""
READ_WHOLE_OCTETS = 256 << 10
QUICK_OCTETS = 8 << 10
"""What is decoded or compared in the loop; more than that in a thread."""
MOST_PART_OCTETS = 4 << 20
MOST_TEXT_OCTETS = 16 << 20
"""Of one message that are searched."""


NEVER = (0, 1)
"""No flags under this mask are this value."""
EPOCH = date(1970, 1, 1).toordinal()
DAY = 86_400_000
"""Milliseconds."""


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
    fields: dict[bytes, str] = field(default_factory=dict)
    """The folded text of those that keys ask for."""
    text: str = ""


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


async def search(session: IMAPSession, wanted: All, *, backwards: bool = False) -> AsyncIterator[Sequence[Uid]]:
    """The messages that the client knows of and for which every key holds, in pages as they are found: ascending, or descending."""
    if _names_unknown(session, wanted):
        await session.learn_keywords()
    searching = _Search(session, _flat(wanted))
    if searching.is_by_flags:
        async for uids in searching.flagged(backwards=backwards):
            yield uids
        return
    async for page in searching.pages(backwards=backwards):
        yield [each.uid for each in page]


def _names_unknown(session: IMAPSession, wanted: All) -> bool:
    """A keyword of which the client has not heard: another session may have brought it in."""
    bits = session.selected.flag_names.bits
    return any(isinstance(leaf, HasKeyword) and not bits(leaf.name) for leaf in _leaves(wanted))


def _flat(key: All) -> list[Key]:
    """Keys side by side, however they were put in parentheses."""
    return [each for inner in key.keys for each in (_flat(inner) if isinstance(inner, All) else [inner])]


def _leaves(key: Key) -> Iterator[Key]:
    match key:
        case All(keys):
            for each in keys:
                yield from _leaves(each)
        case Or(one, other):
            yield from _leaves(one)
            yield from _leaves(other)
        case Not(inner):
            yield from _leaves(inner)
        case _:
            yield key


class _Stage:
    """The keys that need the same of a message to be read."""

    def __init__(self, step: Step, keys: Sequence[Key], checks: Sequence[Check]) -> None:
        self.step = step
        self.checks = checks
        leaves = [leaf for key in keys for leaf in _leaves(key)]
        self.fields = frozenset(leaf.name.lower() for leaf in leaves if isinstance(leaf, InField))
        if any(isinstance(leaf, InText) and leaf.header_too for leaf in leaves):
            self.fields |= {WHOLE_HEADER}
        dates = [isinstance(leaf, Dated) and leaf.clock is Clock.INTERNAL for leaf in leaves]
        self.reads_dates = any(dates)
        self.locates = step is not Step.INDEX and not all(dates)
        """Whether more of a message than its INTERNALDATE is wanted."""
        self.texts = sum(isinstance(leaf, InField | InText) for leaf in leaves)
        """How many are looked for."""

    def hold(self, each: Candidate) -> bool:
        return all(check(each) for check in self.checks)


def _summed(flags: Iterable[Flagged]) -> tuple[int, int]:
    """Mask and value of all of them, `NEVER` where no message can have them: SEEN UNSEEN."""
    mask = value = 0
    for each in flags:
        if (value ^ each.value) & mask & each.mask:
            return NEVER
        mask, value = mask | each.mask, value | each.value
    return mask, value


def _read_quickly(each: Candidate, stage: _Stage) -> bool:
    """Most keys ask for nothing more, or for fields that are in the row."""
    if each.located is None or not stage.texts:
        return True
    cached = each.located.header_cache
    if stage.step is not Step.ROW or not 0 < len(cached) <= QUICK_OCTETS:
        return False
    each.fields = folded_fields(cached, stage.fields)
    return True


def _is_quick(each: Candidate, stage: _Stage) -> bool:
    return not stage.texts or (len(each.text) + sum(map(len, each.fields.values()))) * stage.texts <= 16 * QUICK_OCTETS


class _Search:
    def __init__(self, session: IMAPSession, keys: Sequence[Key]) -> None:
        self.session = session
        self._flagged = _summed(key for key in keys if isinstance(key, Flagged))
        self._first, *self._stages = [
            _Stage(step, own, [self.check(key) for key in own])
            for step in Step
            for own in [[key for key in keys if step_of(key) is step and not isinstance(key, Flagged)]]
            if own or step is Step.INDEX
        ]
        self._turn = Turn()

    async def pages(self, *, backwards: bool) -> AsyncIterator[list[Candidate]]:
        """What needs to be read is read for a page at a time, and forgotten after it."""
        waiting: list[Candidate] = []
        size = FIRST_PAGE
        async for found in self._known(backwards=backwards):
            if not self._stages:
                yield found
                continue
            waiting += found
            while len(waiting) >= size:
                page, waiting = waiting[:size], waiting[size:]
                size = min(2 * size, PAGE)
                yield await self._filtered(page)
        if waiting:
            yield await self._filtered(waiting)

    @property
    def is_by_flags(self) -> bool:
        """Most searches ask for UNSEEN, and flags are one array: nothing is made of a message but its UID."""
        return not self._stages and not self._first.checks

    async def _known(self, *, backwards: bool) -> AsyncIterator[list[Candidate]]:
        """What the client knows of, by flags, and by what else needs no reading."""
        view, checks, (mask, value) = self.session.selected.view, self._first.checks, self._flagged
        async for first, uids, flags in self._by_pages(backwards=backwards):
            found = [
                Candidate(uid, number, flag, recent)
                for number, (uid, flag, recent) in enumerate(
                    zip(uids, flags, view.are_recent(uids), strict=True), first
                )
                if flag & mask == value
            ]
            if checks:
                found = await self._checked(found)
            yield found[::-1] if backwards else found

    async def flagged(self, *, backwards: bool) -> AsyncIterator[list[Uid]]:
        """All that there is to a search by flags alone."""
        mask, value = self._flagged
        async for _, uids, flags in self._by_pages(backwards=backwards):
            found = [uid for uid, flag in zip(uids, flags, strict=True) if flag & mask == value]
            yield found[::-1] if backwards else found

    async def _by_pages(self, *, backwards: bool) -> AsyncIterator[tuple[int, Sequence[Uid], Sequence[int]]]:
        """What the client knows of: the number of a page's first message, all its UIDs and flags."""
        view = self.session.selected.view
        exists = 0 if self._flagged == NEVER else view.exists
        starts = range(1, exists + 1, PAGE_OF_ARRAYS)
        for first in reversed(starts) if backwards else starts:
            uids = view.uids(MessageSet(((first, min(first + PAGE_OF_ARRAYS - 1, exists)),)))
            yield first, uids, view.flags_of(uids, SystemFlag.DELETED)
            await self._turn.breathe()

    async def _checked(self, found: Sequence[Candidate]) -> list[Candidate]:
        left: list[Candidate] = []
        for each in found:
            if self._first.hold(each):
                left.append(each)
            await self._turn.breathe()
        return left

    async def _filtered(self, page: list[Candidate]) -> list[Candidate]:
        await self._read_rows(page)
        for stage in self._stages:
            left: list[Candidate] = []
            for each in page:
                if not _read_quickly(each, stage):
                    await self._read(each, stage)
                if stage.hold(each) if _is_quick(each, stage) else await self._holds(each, stage):
                    left.append(each)
                await self._turn.breathe()
            page = left
        for each in page:
            each.located, each.fields, each.text = None, {}, ""
        return page

    async def _holds(self, each: Candidate, stage: _Stage) -> bool:
        """Many texts in a long one are looked for elsewhere than in the loop."""
        return bool(await self.session.run_in_thread(lambda: stage.hold(each)))

    # Reading.

    async def _read_rows(self, page: Sequence[Candidate]) -> None:
        wanted = sorted(each.uid for each in page)
        key, takes = self.session.selected.key, self.session.takes
        if any(stage.locates for stage in self._stages):
            located = {each.uid: each for each in await self.session.read_store(messages.locate, key, wanted, takes)}
            for each in page:
                each.located = located.get(each.uid)
        if any(stage.reads_dates for stage in self._stages):
            moments = dict(await self.session.read_store(messages.arrived, key, wanted, takes))
            for each in page:
                each.arrived = _day(moments[each.uid]) if each.uid in moments else None

    async def _read(self, each: Candidate, stage: _Stage) -> None:
        """As much as the keys of this stage ask for: fields from the row, the header, or all texts."""
        located = each.located
        if located is None or not stage.texts:
            return
        if stage.step is Step.ROW and located.header_cache:
            each.fields |= await self._fields(located.header_cache, stage)
            return
        content = await self.session.services.blobs.whole(located) if located.size <= READ_WHOLE_OCTETS else None
        octets = _Octets(self.session, located, content)
        header = await octets.between(0, min(header_end(located), MOST_HEADER_OCTETS))
        each.fields |= await self._fields(header, stage)
        if stage.step is Step.BODY:
            each.text = BETWEEN.join([text async for text in self._texts(located, octets, header)])

    async def _fields(self, block: bytes, stage: _Stage) -> dict[bytes, str]:
        found: dict[bytes, str] = await self._where_it_fits(len(block), lambda: folded_fields(block, stage.fields))
        return found

    async def _texts(self, located: Located, whole: "_Octets", header: bytes) -> AsyncIterator[str]:
        """The folded text of each part: its own header, and of leaves that people read the body; others are not even loaded."""
        ahead, left = len(located.prefix), MOST_TEXT_OCTETS
        for part in parts.every(located.parts):
            await self._turn.breathe()
            own = header
            if part.header_start:
                end = min(part.body_start, part.header_start + MOST_HEADER_OCTETS)
                own = await whole.between(ahead + part.header_start, ahead + end)
                yield await self._part_header(own)
            if left > 0 and part.is_leaf and is_text(own):
                octets = min(part.end - part.body_start, MOST_PART_OCTETS, left)
                left -= octets
                body = await whole.between(ahead + part.body_start, ahead + part.body_start + octets)
                yield await self._part_text(own, body)

    async def _part_header(self, header: bytes) -> str:
        """Names of attached files are here, and what an enclosed message says of itself."""
        fields = await self._where_it_fits(len(header), lambda: folded_fields(header, {WHOLE_HEADER}))
        text: str = fields[WHOLE_HEADER]
        return text

    async def _part_text(self, header: bytes, body: bytes) -> str:
        text: str = await self._where_it_fits(len(header) + len(body), lambda: part_text(header, body))
        return text

    async def _where_it_fits(self, octets: int, work: Callable[[], Any]) -> Any:
        return work() if octets <= QUICK_OCTETS else await self.session.run_in_thread(work)

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
            wanted, looked_for = name.lower(), folded(text)
            return lambda each: wanted in each.fields and holds(each.fields[wanted], looked_for)
        case InText(text, header_too):
            return _in_text(folded(text), header_too)
        case _:
            raise AssertionError(key)


def _in_text(looked_for: str, header_too: bool) -> Check:
    def check(each: Candidate) -> bool:
        return holds(each.text, looked_for) or (header_too and holds(each.fields.get(WHOLE_HEADER, ""), looked_for))

    return check


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
        return date.fromordinal(EPOCH + moment // DAY)
    except (OverflowError, ValueError):
        return date.max if moment > 0 else date.min


def _within(number: int, lows: Sequence[int], ranges: Sequence[Range]) -> bool:
    place = bisect_right(lows, number) - 1
    return place >= 0 and number <= ranges[place][1]
