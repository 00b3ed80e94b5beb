"""FETCH carried out: the items are compiled once into a plan, then whole pages of messages are written by column.

Flags and UIDs come from the index, ENVELOPE and its like as finished bytes in pages, octets of bodies by their offsets, small
ones a page at a time and large ones piece by piece. Never more than about half a MiB of one response is in memory.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from mailhost.database.errors import CommitFailed
from mailhost.events.event import FAULT
from mailhost.ids import BlobId, Uid
from mailhost.imap import stored
from mailhost.imap.responses import DELETED, body_name
from mailhost.imap.sections import asks_for_cached_fields, cut, extent
from mailhost.imap.session import PAGE, IMAPSession
from mailhost.imap.turns import Turn
from mailhost.imap.values import BodyItem, FetchItem, IndexItem, Item, Text
from mailhost.imap.view import View
from mailhost.message.dates import imap_date_time
from mailhost.message.headers import select_fields
from mailhost.store import blobs, flags, messages
from mailhost.store.values import SEEN, FlagAction, Flags, Located, Place, Served
from mailhost.transport.channel import ChannelError, EndOfInput

PAGE_OF_ARRAYS = 2000
"""Messages a page when all that is asked is in the index."""
FIRST_PAGE = 20
"""Of a FETCH from the store: then it is known how long the responses are."""
PAGE_OF_BODIES = 50
PAGE_OCTETS = 512 << 10
GROUP_OCTETS = 256 << 10
"""Messages whose octets are read together."""
FLUSH_OCTETS = 64 << 10
FIELDS = (Text.FIELDS, Text.FIELDS_NOT)
SEEN_BY_FETCH = "+FLAGS (\\Seen)"
MOST_HEADER_OCTETS = 512 << 10
"""Of a header in which fields are looked for."""


@dataclass(frozen=True, slots=True)
class Page:
    """Some messages, with what was read of them."""

    uids: Sequence[Uid]
    numbers: Sequence[int]
    view: View
    flags: Sequence[bytes]
    served: Sequence[Served]


@dataclass(frozen=True, slots=True)
class Column:
    """How an item is written, and where its values are in a page."""

    form: bytes
    values: Callable[[Page], Iterable[object]]
    stored: bool = True
    """Whether the values are in the store; else the index has them."""


COLUMNS: Mapping[Item, Column] = {
    Item.UID: Column(b"UID %d", lambda page: page.uids, stored=False),
    Item.FLAGS: Column(b"FLAGS (%b)", lambda page: page.flags, stored=False),
    Item.INTERNALDATE: Column(b"INTERNALDATE %b", lambda page: [imap_date_time(x.internal_date) for x in page.served]),
    Item.SIZE: Column(b"RFC822.SIZE %d", lambda page: [x.size for x in page.served]),
    Item.ENVELOPE: Column(b"ENVELOPE %b", lambda page: [x.envelope for x in page.served]),
    Item.BODY: Column(b"BODY %b", lambda page: [x.body for x in page.served]),
    Item.BODYSTRUCTURE: Column(b"BODYSTRUCTURE %b", lambda page: [x.body_structure for x in page.served]),
}


def column(item: Item | IndexItem) -> Column:
    if isinstance(item, Item):
        return COLUMNS[item]
    return Column(item.form, lambda page: item.values(page.view, page.uids), stored=False)


@dataclass(frozen=True, slots=True)
class Body:
    """Octets to write for each message."""

    item: BodyItem
    name: bytes
    """As the response names it, with the blank behind."""
    cached: bool
    """Whether the row has them, in most messages."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A FETCH, compiled."""

    items: tuple[Item | IndexItem, ...]
    columns: tuple[Column, ...]
    """Of each item."""
    beside_flags: tuple[IndexItem, ...]
    bodies: tuple[Body, ...]
    form: bytes
    """The items of one message, as a format of its row."""
    stored: bool
    sets_seen: bool
    reads: bool
    """Whether it gives some text of the messages, more than a header."""

    def with_flags(self) -> "Plan":
        """FETCH of a body tells the flag that it sets."""
        return (
            self
            if Item.FLAGS in self.items
            else compiled((*self.items, Item.FLAGS, *(each.item for each in self.bodies)), self.beside_flags)
        )


@lru_cache(maxsize=256)
def compiled(asked: tuple[FetchItem, ...], beside_flags: tuple[IndexItem, ...] = ()) -> Plan:
    more = beside_flags if Item.FLAGS in asked else ()
    items = tuple(dict.fromkeys(each for each in (*asked, *more) if not isinstance(each, BodyItem)))
    columns = tuple(map(column, items))
    bodies = tuple(
        Body(each, body_name(each) + b" ", asks_for_cached_fields(each.section))
        for each in asked
        if isinstance(each, BodyItem)
    )
    form = b"* %d FETCH (" + b" ".join(each.form for each in columns)
    stored = any(each.stored for each in columns)
    sets_seen = any(not each.item.peek for each in bodies)
    reads = any(each.item.section.text in (Text.ALL, Text.TEXT) for each in bodies)
    return Plan(items, columns, beside_flags, bodies, form, stored, sets_seen, reads)


async def fetch(session: IMAPSession, uids: Sequence[Uid], plan: Plan, told: frozenset[Uid] = frozenset()) -> None:
    """Write the FETCH responses. `told` are messages of which FLAGS is told unasked, because this FETCH changed them."""
    await _Fetching(session, plan, told).run(uids)
    if plan.reads:
        stored.fetched(session, uids)


class _Fetching:
    def __init__(self, session: IMAPSession, plan: Plan, told: frozenset[Uid]) -> None:
        self.session, self.plan, self.told = session, plan, told
        self.selected = session.selected
        self.waiting: list[bytes] = []
        self.octets = 0
        self.turn = Turn()

    async def run(self, uids: Sequence[Uid]) -> None:
        size = PAGE_OF_BODIES if self.plan.bodies else FIRST_PAGE if self.plan.stored else PAGE_OF_ARRAYS
        start = 0
        while start < len(uids):
            page = uids[start : start + size]
            start += len(page)
            if self.plan.bodies:
                await self._write_bodies(page)
            else:
                self._add(b"".join([row + b")\r\n" for row in (await self._rows(page, self.plan)).values()]))
                size = self._next_size(size, len(page))
            await self._flush()

    def _next_size(self, size: int, written: int) -> int:
        """Mail of a thousand parts makes long responses: then fewer at once."""
        if not self.plan.stored:
            return size
        return max(min(written * PAGE_OCTETS // max(self.octets, 1), 4 * size, PAGE), 1)

    async def _rows(self, uids: Sequence[Uid], plan: Plan) -> dict[Uid, bytes]:
        """Each message's response up to its bodies, without the end."""
        served = await self._served(uids) if plan.stored else []
        if plan.stored and len(served) < len(uids):  # the sweeper was there: the message is no more
            uids = [each.uid for each in served]
        view = self.selected.view
        texts: list[bytes] = []
        if Item.FLAGS in plan.items:
            bits = view.flags_of(uids, DELETED)
            names = await self.session.flag_names(bits)
            texts = [names.text(each, recent) for each, recent in zip(bits, view.are_recent(uids), strict=True)]
        page = Page(uids, view.numbers(uids), view, texts, served)
        columns = [each.values(page) for each in plan.columns]
        form = plan.form
        return {uid: form % row for uid, row in zip(uids, zip(page.numbers, *columns, strict=True), strict=True)}

    async def _served(self, uids: Sequence[Uid]) -> list[Served]:
        return await self.session.read_store(messages.serve, self.selected.key, uids, self.session.takes)

    # Bodies.

    async def _write_bodies(self, uids: Sequence[Uid]) -> None:
        located = await self.session.read_store(messages.locate, self.selected.key, uids, self.session.takes)
        rows = await self._rows([each.uid for each in located if each.uid not in self.told], self.plan)
        if self.told:
            rows |= await self._rows([each.uid for each in located if each.uid in self.told], self.plan.with_flags())
        for group in _groups([each for each in located if each.uid in rows]):
            contents = await self._contents(group)
            for each in group:
                await self._write_message(each, rows[each.uid], contents.get(each.blob))
            await self._flush()

    async def _contents(self, group: Sequence[Located]) -> dict[BlobId, bytes]:
        """The octets of small messages, read together."""
        if all(body.cached for body in self.plan.bodies) and all(each.header_cache for each in group):
            return {}
        if sum(each.size for each in group) > GROUP_OCTETS:
            return {}
        stored = await self.session.read_store(blobs.stored, sorted({each.blob for each in group}))
        expand = self.session.services.blobs.expand
        return {id_: expand(row) for id_, row in stored.items() if row.place is Place.INLINE}

    async def _write_message(self, located: Located, row: bytes, content: bytes | None) -> None:
        blank = b" " if self._has_items(located) else b""
        self._add(row)
        for body in self.plan.bodies:
            self._add(blank + body.name)
            await self._write_body(located, body, content)
            blank = b" "
        self._add(b")\r\n")
        if self.octets > FLUSH_OCTETS or self.turn.is_over:
            await self._flush()

    def _has_items(self, located: Located) -> bool:
        return bool(self.plan.items) or located.uid in self.told

    async def _write_body(self, located: Located, body: Body, content: bytes | None) -> None:
        section, partial = body.item.section, body.item.partial
        found = extent(located, section)
        if found is None:
            self._add(b"NIL")
        elif section.text in FIELDS:
            block = await self._fields(located, body, found, content)
            start, end = cut(0, len(block), partial)
            self._add(b"{%d}\r\n%b" % (end - start, block[start:end]))
        elif content is not None:
            octets = _slice(located, content, *cut(*found, partial))
            self._add(b"{%d}\r\n%b" % (len(octets), octets))
        else:
            await self._write_pieces(located, *cut(*found, partial))

    async def _fields(self, located: Located, body: Body, found: tuple[int, int], content: bytes | None) -> bytes:
        section = body.item.section
        start, end = found[0], min(found[1], found[0] + MOST_HEADER_OCTETS)
        if body.cached and located.header_cache:
            block = located.prefix + located.header_cache
        elif content is not None:
            block = _slice(located, content, start, end)
        else:
            block = b"".join([piece async for piece in self.session.services.blobs.pieces(located, start, end)])
        return select_fields(block, section.fields, exclude=section.text is Text.FIELDS_NOT)

    async def _write_pieces(self, located: Located, start: int, end: int) -> None:
        if start >= end:
            self._add(b"{0}\r\n")
            return
        pieces = self.session.services.blobs.pieces(located, start, end)
        first = await anext(pieces)  # a file that is missing is found before a literal is begun
        self._add(b"{%d}\r\n%b" % (end - start, first))
        try:
            async for piece in pieces:
                await self._flush()
                self._add(piece)
        except OSError as fault:
            self.session.publish(FAULT, cause=f"FETCH: {fault!r}", data={"exception": fault})
            self.session.channel.abort()  # inside a literal there is no other way to say so
            raise ChannelError("a blob could not be read to its end") from fault

    # Writing.

    def _add(self, data: bytes) -> None:
        self.waiting.append(data)
        self.octets += len(data)

    async def _flush(self) -> None:
        self.session.write(b"".join(self.waiting))
        self.waiting.clear()
        self.octets = 0
        await self.session.channel.drain()
        if self.session.channel.closed:  # nobody is there to hear the rest
            raise EndOfInput
        await self.turn.breathe()


def _slice(located: Located, content: bytes, start: int, end: int) -> bytes:
    """Octets of a message as served, of which the blob is in memory."""
    ahead = len(located.prefix)
    if not ahead:
        return content[start:end]
    return located.prefix[start:end] + content[max(start - ahead, 0) : max(end - ahead, 0)]


def _groups(located: Sequence[Located]) -> Iterator[list[Located]]:
    """Neighbours whose octets fit into memory together; a large message is a group of its own."""
    group: list[Located] = []
    octets = 0
    for each in located:
        if group and octets + each.size > GROUP_OCTETS:
            yield group
            group, octets = [], 0
        group.append(each)
        octets += each.size
    if group:
        yield group


async def mark_seen(session: IMAPSession, uids: Sequence[Uid]) -> frozenset[Uid]:
    """Set the Seen flag where a FETCH of bodies does so, in one write; answers with the messages that had it not.

    On a full disk mail is read without it.
    """
    view, key = session.selected.view, session.selected.key
    now = view.flags_of(uids, SEEN)
    unseen = tuple(uid for uid, flag in zip(uids, now, strict=True) if not flag & SEEN)
    if not unseen:
        return frozenset()
    change = flags.FlagChange(key, unseen, FlagAction.ADD, Flags(SEEN))
    try:
        done = await session.written(flags.change, change)
    except CommitFailed as failure:
        session.publish(FAULT, cause=f"FETCH: {failure}")
        return frozenset()
    if done.changed:
        view.knows(done.mod_seq)
        stored.flagged(session, [uid for uid, _ in done.messages], SEEN_BY_FETCH)
    return frozenset(uid for uid, _ in done.messages)
