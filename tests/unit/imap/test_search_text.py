"""Texts as people read them."""

import base64
import quopri
import unicodedata
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.imap import searching
from mailhost.imap.search_text import PIECE, _pieces, field_texts, folded, is_text, part_text
from mailhost.imap.searching import sent_day
from mailhost.message.charsets import decoded


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"Subject: =?utf-8?B?5Lit5paH?=\r\n", "中文"),
        (b"Subject: =?gb2312?Q?=D6=D0=CE=C4?= x\r\n", "中文 x"),
        (b"Subject: =?gbk?B?nqLOxA==?=\r\n", base64.b64decode(b"nqLOxA==").decode("gb18030")),
        (b"Subject: =?no-such-charset?Q?a=E4?=\r\n", "aä"),
        (b"Subject: \xe4\xb8\xad raw\r\n", "中 raw"),
        (b"Subject: =?utf-8?B?###?= broken\r\n", None),
        (b"Subject: a\r\n b\r\n", "a b"),
    ],
)
def test_fields(raw: bytes, text: str | None) -> None:
    found = field_texts(raw + b"\r\n", b"subject")
    assert len(found) == 1
    assert text is None or found[0].split() == text.split()


def test_transfer_encodings_and_markup_are_undone() -> None:
    body = "Grüße &amp; <b>mehr</b>".encode("latin-1")
    header = b"Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: %b\r\n\r\n"
    assert "Grüße & " in part_text(header % b"base64", base64.encodebytes(body))
    assert "Grüße & " in part_text(header % b"Quoted-Printable", quopri.encodestring(body))
    assert "<b>" not in part_text(header % b"8bit", body)


def test_what_people_do_not_read_is_not_text() -> None:
    assert is_text(b"\r\n")
    assert is_text(b"Content-Type: Text/Plain\r\n\r\n")
    assert not is_text(b"Content-Type: image/png\r\n\r\n")
    assert not is_text(b"Content-Type: nonsense\r\n\r\n")


def test_case_and_width_do_not_matter() -> None:
    assert folded("ＡＢＣ straße") == folded("abc STRASSE")


@given(st.binary(max_size=200), st.text(max_size=20))
def test_no_octets_and_no_charset_are_too_strange(octets: bytes, charset: str) -> None:
    assert isinstance(decoded(octets, charset), str)
    assert isinstance(part_text(octets, octets), str)
    for found in field_texts(b"Subject: " + octets.translate(None, b"\r\n"), b"subject"):
        assert isinstance(found, str)


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
    assert folded(long) == unicodedata.normalize("NFKC", long).casefold()


@pytest.mark.parametrize("text", ["a" + "\u0301\u0327" * 3_000, "\ufdfa" * 3_000, "\u4e2d\u6587" * 3_000])
def test_no_piece_of_a_text_is_long_nor_grows_much(text: str) -> None:
    """Normalising goes by the square of the accents on one letter, and one ligature may become eighteen letters."""
    assert max(map(len, _pieces(text))) <= 2 * PIECE
    assert "".join(_pieces(text)) == text
    assert len(folded(text)) <= 4 * len(text)


@given(st.text("ab", max_size=60), st.text("ab", max_size=6), st.integers(1, 10))
def test_a_text_is_found_over_every_border_of_two_stretches(text: str, looked_for: str, stretch: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(searching, "STRETCH", stretch)
        assert searching._contains(text, looked_for) == (looked_for in text)
