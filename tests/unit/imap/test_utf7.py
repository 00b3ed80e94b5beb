"""Modified UTF-7: every name has one spelling."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.imap.utf7 import decode, encode

NAMES = st.text(st.characters(exclude_categories=["Cs"]))


@given(NAMES)
def test_a_name_reads_back_as_it_was_written(name: str) -> None:
    assert decode(encode(name)) == name


@given(st.binary(max_size=30))
def test_what_is_read_would_be_written_the_same(octets: bytes) -> None:
    try:
        name = decode(octets)
    except ValueError:
        return
    assert encode(name) == octets


@pytest.mark.parametrize(
    ("name", "octets"),
    [
        ("~peter/mail/台北/日本語", b"~peter/mail/&U,BTFw-/&ZeVnLIqe-"),  # RFC 3501 section 5.1.3
        ("R&D", b"R&-D"),
        ("Entwürfe", b"Entw&APw-rfe"),
        ("😀", b"&2D3eAA-"),
        ("&", b"&-"),
        ("&&", b"&-&-"),
        ("&U,BTFw-", b"&-U,BTFw-"),
        ("a&中&b", b"a&-&Ti0-&-b"),
        ("已发送/草稿箱", b"&XfJT0ZAB-/&g0l6P3ux-"),
        ("\U0010ffff", b"&2,,f,w-"),
        ("a\u0308", b"a&Awg-"),
    ],
)
def test_examples(name: str, octets: bytes) -> None:
    assert encode(name) == octets
    assert decode(octets) == name


@pytest.mark.parametrize(
    "octets",
    [
        b"&AGEAYg-",
        b"&AA-",
        b"&Jjo",
        b"&Jjo!-",
        b"&2D0-",
        b"\xc3\xa4",
        b"&AOQ-&AOQ-",
        b"&ACY-",
        b"&",
        b"&2D3eAA",
        b"&3gA-",
        b"&3gDYPQ-",
        b"&2D0AYQ-",
        b"&Ti0A-",
        b"&Ti1-",
        b"&Ti0=-",
        b"&Ti/0-",
        b"a\tb",
        b"&Ti0-&",
        b"\x7f",
    ],
)
def test_other_spellings_are_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"modified UTF-7|ASCII"):
        decode(octets)
