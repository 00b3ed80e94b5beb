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
    ],
)
def test_examples(name: str, octets: bytes) -> None:
    assert encode(name) == octets
    assert decode(octets) == name


@pytest.mark.parametrize(
    "octets", [b"&AGEAYg-", b"&AA-", b"&Jjo", b"&Jjo!-", b"&2D0-", b"\xc3\xa4", b"&AOQ-&AOQ-", b"&ACY-"]
)
def test_other_spellings_are_refused(octets: bytes) -> None:
    with pytest.raises(ValueError, match=r"modified UTF-7|ASCII"):
        decode(octets)
