"""Texts as people read them."""

import base64
import quopri
import re
import time
import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.imap import search_text
from mailhost.imap.search_text import (
    CHUNK,
    PIECE,
    WHOLE_HEADER,
    _pieces,
    folded,
    folded_fields,
    holds,
    is_text,
    part_text,
    plain,
)
from mailhost.imap.searching import sent_day


def test_fields_are_found_by_their_names() -> None:
    block = b"Subject: =?gb2312?B?1tDOxA==?= A\r\nX: 1\r\nsubject: B\r\n\r\n"
    assert folded_fields(block, {b"subject", b"to"}) == {b"subject": "中文 a\0b"}
    assert folded_fields(block, {b"x"}) == {b"x": "1"}
    assert folded_fields(block, {WHOLE_HEADER}) == {WHOLE_HEADER: "subject: 中文 a\0x: 1\0subject: b"}
    assert folded_fields(b"\r\n", {WHOLE_HEADER}) == {WHOLE_HEADER: ""}


@pytest.mark.parametrize(
    "field",
    [
        b"Content-Disposition: attachment; filename*0*=gb18030''%B7%A2; filename*1*=%C6%B1; filename*2=.pdf",
        b"Content-Disposition: attachment; filename*=UTF-8'zh'%E5%8F%91%E7%A5%A8.pdf",
        b'Content-Type: x/y; name="=?GBK?B?t6LGsS5wZGY=?="',
        b'Content-Type: x/y; name="=?gb2312?Q?=B7=A2=C6?= =?gb2312?Q?=B1.pdf?="',
        b'Content-Type: x/y; name="\xb7\xa2\xc6\xb1.pdf"',
        "Content-Type: x/y; name=发票.pdf".encode(),
    ],
)
def test_the_name_of_a_file_is_found_in_every_spelling(field: bytes) -> None:
    assert "发票.pdf" in folded_fields(field + b"\r\n\r\n", {WHOLE_HEADER})[WHOLE_HEADER]


def test_transfer_encodings_and_markup_are_undone() -> None:
    body = "Grüße &amp; <b>mehr</b>".encode("latin-1")
    header = b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: %b\r\n\r\n"
    assert part_text(header % b"base64", base64.encodebytes(body)) == "grüsse & mehr"
    assert part_text(header % b"Quoted-Printable", quopri.encodestring(body)) == "grüsse & mehr"
    assert part_text(header % b"8bit", body) == "grüsse & mehr"


@pytest.mark.parametrize("charset", ["gbk", "GB2312", "gb18030", "x-gbk", "utf-8", ""])
def test_chinese_is_found_whatever_its_charset_is_called(charset: str) -> None:
    octets = "开具发票\r\n一张".encode("utf-8" if charset == "utf-8" else "gb18030")
    header = b"Content-Type: text/plain" + (f'; charset="{charset}"'.encode() if charset else b"")
    assert part_text(header + b"\r\n\r\n", octets) == "开具发票一张"
    encoded = header + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    assert part_text(encoded, base64.encodebytes(octets)) == "开具发票一张"


@given(st.integers(0, 3), st.sampled_from(["base64", "quoted-printable", "8bit"]))
def test_a_long_text_is_read_across_its_pieces(shift: int, encoding: str) -> None:
    words = [f"词{number}" for number in range(15_000)]
    octets = (" " * shift + "\n".join(words)).encode("gb18030")
    body = {"base64": base64.encodebytes, "quoted-printable": quopri.encodestring}.get(encoding, bytes)(octets)
    header = f"Content-Type: text/plain; charset=gbk\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n".encode()
    text = part_text(header, body)
    assert len(text) > 2 * CHUNK
    assert text.split() == words
    assert all(holds(text, f" {word}") for word in words[1::500])
    assert not holds(text, "词15000")


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>发<b>票</b></p>x", "发票 x"),
        ("a<br>b", "a b"),
        ("<style>.a{}</style>b<script>c</script>d", "bd"),
        ("a<!-- <b> -->b", "ab"),
        ("a<!-- never ended", "a never ended"),
        ("<style>never ended", "never ended"),
        ("1 < 2 and 3 > 2", "1   2"),
        ("x" * 32760 + "<b><p title=long>y</p>", "x" * 32760 + " y"),
        ("x" * 32760 + "<!-- " + "-" * 40000 + "-->y", "x" * 32760 + "y"),
    ],
)
def test_html_is_read_as_it_is_seen(markup: str, text: str) -> None:
    assert plain(markup).strip() == text


def test_characters_by_their_names_and_numbers_are_read() -> None:
    assert part_text(b"Content-Type: text/html\r\n\r\n", b"&#21457;&#31080; &amp;lt; &Auml;") == "发票 &lt; ä"


@pytest.mark.parametrize("mark", ["<!--", "<style>", "<script>", "<", "<a", "</style", "&"])
def test_html_of_many_marks_takes_no_longer_than_its_length(mark: str) -> None:
    """A look ahead for each of them would take a thousand times as long."""
    short, long = (plain_seconds(mark * count) for count in (2_000, 100_000))
    assert long < 50 * 20 * max(short, 0.001)


def plain_seconds(markup: str) -> float:
    begun = time.perf_counter()
    plain(markup)
    return time.perf_counter() - begun


def test_what_people_do_not_read_is_not_text() -> None:
    assert is_text(b"\r\n")
    assert is_text(b"Content-Type: Text/Plain\r\n\r\n")
    assert not is_text(b"Content-Type: image/png\r\n\r\n")
    assert not is_text(b"Content-Type: nonsense\r\n\r\n")


def test_case_and_width_do_not_matter() -> None:
    assert folded("ＡＢＣ straße") == folded("abc STRASSE")


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_octets_and_no_charset_are_too_strange(octets: bytes, charset: str) -> None:
    header = f"Content-Type: text/html; charset={charset}\r\n".encode("utf-8", "replace")
    assert isinstance(part_text(header, octets), str)
    assert isinstance(part_text(octets, octets), str)
    assert set(folded_fields(b"Subject: " + octets.translate(None, b"\r\n"), {b"subject"})) == {b"subject"}


@pytest.mark.parametrize(
    ("value", "day"),
    [
        (b"Fri, 20 Nov 2026 23:30:00 -0500", date(2026, 11, 20)),
        (b"Sat, 21 Nov 2026 00:30:00 +0800 (CST)", date(2026, 11, 21)),
        (b"20 Nov 2026 23:30 EST", date(2026, 11, 20)),
        (b"no date", None),
    ],
)
def test_the_day_of_a_message_is_that_of_its_writer(value: bytes, day: date | None) -> None:
    assert sent_day(value) == day


ACCENTED = st.text(st.sampled_from("aeo \u0301\u0308\u00e4\uff21\u4e2d\u1112\u1161\u11ab"), max_size=100)


@given(ACCENTED, st.integers(1, 20))
def test_text_is_folded_in_pieces_as_it_is_in_one(text: str, times: int) -> None:
    """Where an ASCII letter comes now and then no accent is parted from its letter."""
    long = (text + "x") * times
    assert folded(long) == re.sub(" +", " ", unicodedata.normalize("NFKC", long).casefold())


@pytest.mark.parametrize("text", ["a" + "\u0301\u0327" * 3_000, "\ufdfa" * 3_000, "\u4e2d\u6587" * 3_000])
def test_no_piece_of_a_text_is_long_nor_grows_much(text: str) -> None:
    """Normalising goes by the square of the accents on one letter, and one ligature may become eighteen letters."""
    assert max(map(len, _pieces(text))) <= 2 * PIECE
    assert "".join(_pieces(text)) == text
    assert len(folded(text)) <= 4 * len(text)


@given(st.text("ab", max_size=60), st.text("ab", max_size=6), st.integers(1, 10))
def test_a_text_is_found_over_every_border_of_two_stretches(text: str, looked_for: str, stretch: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(search_text, "STRETCH", stretch)
        assert holds(text, looked_for) == (looked_for in text)


@given(st.text(st.one_of(st.sampled_from(" \t\r\n\x1c\x85\xa0\u2028\u3000"), st.characters()), max_size=40))
def test_a_run_of_blanks_counts_as_one(text: str) -> None:
    assert search_text._with_single_blanks(text) == re.sub(r"\s+", " ", text)
