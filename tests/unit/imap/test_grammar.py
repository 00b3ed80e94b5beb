"""Reading commands: what was written is read back, and what is no command is refused."""

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.conversation.command import SyntaxProblem
from mailhost.imap import names, responses
from mailhost.imap.commands import append, copy, fetch, login, search, select, status, store
from mailhost.imap.commands import list as mailbox_list
from mailhost.imap.fetching import compiled
from mailhost.imap.grammar import Reader, head, tag_of
from mailhost.imap.literal import announced
from mailhost.imap.search_keys import All, Dated, Flagged, InField, Not, Or
from mailhost.imap.values import (
    STAR,
    BodyItem,
    FlagList,
    Item,
    Literal,
    MessageData,
    MessageSet,
    Section,
    Text,
    merged,
)
from mailhost.store.values import FlagAction

NUMBERS = st.integers(1, 2**32 - 1) | st.just(STAR)
RANGES = st.tuples(NUMBERS, NUMBERS).map(lambda pair: (min(pair), max(pair)))
MESSAGE_SETS = st.lists(RANGES, min_size=1, max_size=20).map(lambda ranges: MessageSet(tuple(merged(ranges))))
STRINGS = st.binary(max_size=40).filter(lambda text: b"\0" not in text)
QUOTABLE = STRINGS.filter(lambda text: not set(text) & set(b"\r\n"))
FIELDS = st.text("ABCxyz-", min_size=1, max_size=8).map(str.encode)
PARTS = st.lists(st.integers(1, 300), max_size=5).map(tuple)


@st.composite
def sections(draw: st.DrawFn) -> Section:
    part = draw(PARTS)
    text = draw(st.sampled_from([text for text in Text if part or text is not Text.MIME]))
    named = text in (Text.FIELDS, Text.FIELDS_NOT)
    return Section(part, text, tuple(draw(st.lists(FIELDS, min_size=1, max_size=4))) if named else ())


@given(MESSAGE_SETS)
def test_a_message_set_reads_back_as_it_was_written(written: MessageSet) -> None:
    assert Reader(bytes(written)).message_set() == written


@given(st.lists(RANGES, min_size=1, max_size=30))
def test_a_message_set_is_ascending_ranges_that_do_not_touch(ranges: list[tuple[int, int]]) -> None:
    read = Reader(bytes(MessageSet(tuple(ranges)))).message_set().ranges
    assert all(high + 1 < low for (_, high), (low, _) in pairwise(read))
    assert all(any(low <= first and last <= high for low, high in read) for first, last in ranges)


@given(QUOTABLE)
def test_a_quoted_string_reads_back_as_it_was_written(text: bytes) -> None:
    escaped = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    assert Reader(b'"%b"' % escaped).astring() == text


@given(STRINGS, STRINGS)
def test_literals_are_read_in_their_places(one: bytes, other: bytes) -> None:
    first = b"{%d}" % len(one)
    second = b"{%d+}" % len(other)
    reader = Reader(first + b" " + second, {0: one, len(first) + 1: other})
    assert reader.astring() == one
    reader.space()
    assert reader.astring() == other
    reader.end()


@given(STRINGS)
def test_what_responses_write_the_grammar_reads(text: bytes) -> None:
    written = names.atom_or_string(text.translate(None, b"\r\n"))
    literal = written.partition(b"\r\n")
    reader = Reader(literal[0], {0: literal[2]})
    assert reader.astring() == text.translate(None, b"\r\n")
    reader.end()


@given(sections())
def test_a_section_reads_back_as_it_was_written(section: Section) -> None:
    assert Reader(b"[%b]" % responses.section(section)).section() == section


@given(
    st.binary(max_size=200), st.sampled_from([append, copy, fetch, login, mailbox_list, search, select, status, store])
)
def test_whatever_comes_is_read_or_refused(octets: bytes, command: object) -> None:
    reader = Reader(b" " + octets, {1: b"x"})
    try:
        command.parse(reader)  # type: ignore[attr-defined]  # each of these modules has it
    except SyntaxProblem as problem:
        assert str(problem)


@pytest.mark.parametrize(
    "text",
    [b"0", b"4294967296", b"1:", b":1", b"1,,2", b"99999999999999999999", b"", b"a", b"1;2", b"0:*"],
)
def test_these_are_no_message_sets(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        reader = Reader(text)
        reader.message_set()
        reader.end()


def test_a_set_of_too_many_ranges_is_refused() -> None:
    with pytest.raises(SyntaxProblem, match="ranges"):
        Reader(b",".join(b"%d" % number for number in range(1, 25_000, 2))).message_set()


def test_star_is_the_last_message_even_below_a_larger_number() -> None:
    assert MessageSet(((7, STAR),)).up_to(3) == [(3, 3)]
    assert MessageSet(((1, 1), (STAR, STAR))).up_to(9) == [(1, 1), (9, 9)]


def test_fetch_items() -> None:
    read = fetch.parse(
        Reader(b" 1:2 (FLAGS BODY.PEEK[2.HEADER.FIELDS (From {2})]<5.10> BODY rfc822.header)", {44: b"To"})
    )
    assert read.chosen == MessageSet(((1, 2),))
    assert compiled(read.items).items == (Item.FLAGS, Item.BODY)
    assert tuple(each.item for each in compiled(read.items).bodies) == (
        BodyItem(Section((2,), Text.FIELDS, (b"From", b"To")), peek=True, partial=(5, 10)),
        BodyItem(Section(text=Text.HEADER), peek=True, name=b"RFC822.HEADER"),
    )
    assert not compiled(read.items).sets_seen
    assert fetch.parse(Reader(b" 1 full")).items[-1] is Item.BODY
    assert fetch.parse(Reader(b" 1 BODY[1]", by_uid=True)).items[0] is Item.UID


@pytest.mark.parametrize(
    "items",
    [
        b"()",
        b"(FLAGS",
        b"BODY[MIME]",
        b"BODY[0]",
        b"BODY[1.]",
        b"BODY[]<1>",
        b"BODY[]<1.0>",
        b"(ALL)",
        b"BODY[HEADER.FIELDS ()]",
    ],
)
def test_these_are_no_fetch_items(items: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        fetch.parse(Reader(b" 1 " + items))


def test_store_reads_flags_with_and_without_parentheses() -> None:
    read = store.parse(Reader(rb" 1 -flags.silent \Seen Work work"))
    assert (read.action, read.silent, read.flags) == (FlagAction.REMOVE, True, FlagList(1, ("Work",)))
    assert store.parse(Reader(b" 1 FLAGS ()")).flags == FlagList()


def test_append_leaves_its_literal_on_its_way() -> None:
    reader = Reader(rb' Sent (\Draft) "01-Jan-2020 00:00:00 +0000" {310}', announced=Literal(310, synchronizing=True))
    read = append.parse(reader)
    assert read == append.Append("Sent", FlagList(16), 1_577_836_800_000, MessageData(Literal(310, synchronizing=True)))


def test_search_keys() -> None:
    keys = search.parse(Reader(b" CHARSET UTF-8 UNSEEN (OR NOT FROM \xe4\xb8\xad SINCE 1-Feb-1994) SUBJECT x")).keys
    assert keys is not None
    unseen, inner, subject = keys.keys
    assert unseen == Flagged(1, 0)
    assert subject == InField(b"SUBJECT", "x")
    assert isinstance(inner, All)
    assert isinstance(inner.keys[0], Or)
    assert inner.keys[0].one == Not(InField(b"FROM", "中"))
    assert isinstance(inner.keys[0].other, Dated)
    assert inner.keys[0].other.day == date(1994, 2, 1)


@pytest.mark.parametrize("deep", [b"(" * 60_000, b"NOT " * 15_000, b"OR " * 15_000, b"(" * 40 + b"ALL " * 5_000])
def test_a_search_without_measure_is_refused(deep: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        search.parse(Reader(b" " + deep))


def test_how_a_command_begins() -> None:
    read = head(b"a.1 uid fetch 1 FLAGS")
    assert (read.tag, read.verb, read.by_uid, read.end) == (b"a.1", "UID FETCH", True, 13)
    assert tag_of(b"a1") == b"a1"
    for line in (b"", b"a1", b" a1 NOOP", b"a+ NOOP", b"a1 NOOP\x00", b"x" * 300 + b" NOOP", b"(((((" * 1000):
        with pytest.raises(SyntaxProblem):
            head(line)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"a {3}", (2, Literal(3, synchronizing=True))),
        (b"a {3+}", (2, Literal(3, synchronizing=False))),
        (b"a {03}", (2, Literal(3, synchronizing=True))),
        (b"a {}", None),
        (b"a {-1}", None),
        (b"a {3} ", None),
        (b"{" * 60_000 + b"}", None),
    ],
)
def test_literals_are_announced_at_the_end_of_a_line(line: bytes, expected: object) -> None:
    assert announced(line) == expected
