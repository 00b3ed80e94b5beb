from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message import dates
from mailhost.message.dates import format_date, imap_date_time, parse_date, parse_imap_date, parse_imap_date_time

TEN = 1795255200000
"""Sat, 21 Nov 2026 10:00:00 UTC"""
moments = st.integers(-62_135_596_800, 253_402_300_799).map(lambda seconds: seconds * 1000)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"Sat, 21 Nov 2026 10:00:00 +0000", TEN),
        (b"21 Nov 2026 10:00 GMT", TEN),
        (b"Sat, 21 Nov 2026 18:00:00 +0800 (CST)", TEN),
        (b" Sat,21 Nov 26 10:00:00 Z", TEN),
        (b"Saturday, 21-Nov-26 10:00:00 UT", TEN),
        (b"21 November 2026 05:00:00 EST", TEN),
        (b"21 nov 2026 03:00:00 PDT", TEN),
        (b"Sat (day), 21 (x) Nov 2026 10:00:00 A", TEN),
        (b"Sat Nov 21 10:00:00 2026", TEN),
        (b"Sat, 21 Nov 2026 18:00:00 GMT+0800", TEN),
        (b"2026-11-21T10:00:00.123Z", TEN),
        (b"2026-11-21 11:00:00+01:00", TEN),
        (b"Sat, 21 Nov 126 10:00:00 -0000", TEN),
        (b"31 Dec 2016 23:59:60 +0000", 1483228800000),
        (b"1 Jan 70 00:00:00 +0000", 0),
        (b"1 Jan 49 00:00:00 +0000", 2493072000000),
        (b"31 Feb 2026 10:00:00 +0000", None),
        (b"21 Nuv 2026 10:00:00 +0000", None),
        (b"21 Nov 2026 25:00:00 +0000", None),
        (b"21 Nov 0000 10:00:00 +0000", None),
        (b"2026-13-21 10:00:00", None),
        (b"yesterday", None),
        (b"", None),
        (b"(" * 10_000, None),
    ],
)
def test_dates_of_mail(text: bytes, expected: int | None) -> None:
    assert parse_date(text) == expected


@given(st.binary(max_size=60))
def test_any_text_is_a_date_or_none(text: bytes) -> None:
    for found in (parse_date(text), parse_imap_date_time(text)):
        assert found is None or abs(found) < 1 << 60
    assert parse_imap_date(text) is None


def test_dates_as_we_write_them() -> None:
    assert format_date(TEN) == "Sat, 21 Nov 2026 10:00:00 +0000"
    assert imap_date_time(TEN) == b'"21-Nov-2026 10:00:00 +0000"'
    assert imap_date_time(0) == b'" 1-Jan-1970 00:00:00 +0000"'


@given(moments)
def test_what_we_write_reads_back(ms: int) -> None:
    assert parse_date(format_date(ms).encode()) == ms
    assert parse_imap_date_time(imap_date_time(ms)) == ms


@given(st.integers(-(1 << 62), 1 << 62))
def test_every_number_can_be_written(ms: int) -> None:
    assert parse_imap_date_time(imap_date_time(ms)) is not None
    assert format_date(ms).endswith("+0000")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'"21-Nov-2026 10:00:00 +0000"', TEN),
        (b"21-nov-2026 18:00:00 +0800", TEN),
        (b'" 1-Jan-1970 00:00:00 +0000"', 0),
        (b'"21-Nov-26 10:00:00 +0000"', None),
        (b'"31-Feb-2026 10:00:00 +0000"', None),
        (b'"21-Nov-2026 10:00:00"', None),
    ],
)
def test_dates_of_append(text: bytes, expected: int | None) -> None:
    assert parse_imap_date_time(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"21-Nov-2026", date(2026, 11, 21)),
        (b'"1-feb-2026"', date(2026, 2, 1)),
        (b"31-Feb-2026", None),
        (b"21-Nov-2026 10:00", None),
        (b"1-Xxx-2026", None),
    ],
)
def test_dates_of_search(text: bytes, expected: date | None) -> None:
    assert parse_imap_date(text) == expected


@given(moments, st.integers(-23, 23), st.sampled_from([b"", b" (CET)"]))
def test_the_short_way_for_usual_dates_says_what_the_long_way_says(moment: int, hours: int, comment: bytes) -> None:
    written = format_date(moment).encode()[:-5] + b"%+03d30" % hours + comment
    assert dates._USUAL.fullmatch(written)
    assert parse_date(written) == parse_date(b" " + written)
