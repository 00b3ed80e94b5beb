"""Encoded words and charsets (RFC 2047): what is read, and what stays as it is written."""

import encodings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.charsets import decoded
from mailhost.message.word_reader import decode

WORDS = [
    "=?",
    "?=",
    "?",
    "=",
    "utf-8",
    "gb2312",
    "*de",
    "q",
    "b",
    "?q?",
    "?b?",
    "=?utf-8?q?",
    "=C3",
    "=A4",
    "5Lit",
    "A",
    " ",
    "\t",
    "ä",
    "x",
]
soups = st.lists(st.sampled_from(WORDS), max_size=60).map("".join) | st.text(max_size=100)


@pytest.mark.parametrize(
    ("written", "text"),
    [
        ("=?gb2312?B?1tDOxA==?= news", "中文 news"),
        ("=?utf-8?b?5Lit?=\t =?utf-8?b?5paH?=", "中文"),
        ("=?utf-8?b?5Li?= =?UTF-8?b?rQ?=", "中"),  # padding left out, cut in the middle of a letter
        ("=?gb18030?q?=D6?= =?gb18030?q?=D0=CE=C4?=", "中文"),
        ("a =?iso-8859-1?q?b_c?= d", "a b c d"),
        ("=?utf-8*de?Q?gr=C3=BC=C3=9Fe?=", "grüße"),
        ("=?utf-8?q?a?= =?iso-8859-1?q?=E4?=", "aä"),
        ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
        ("=?utf-8?q?a", "=?utf-8?q?a"),
        ("=?nobody-knows?q?=E4?=", "ä"),
        ("=?punycode?q?=E4?=", "ä"),
    ],
)
def test_examples(written: str, text: str) -> None:
    assert decode(written) == text


@given(soups)
def test_anything_reads_and_grows_no_longer(written: str) -> None:
    assert len(decode(written)) <= len(written.encode())


@given(
    st.binary(max_size=100),
    st.text(max_size=30) | st.sampled_from(["zlib", "rot13", "hex", "idna", "utf-16", "undefined"]),
)
def test_any_octets_in_any_charset_are_text(octets: bytes, charset: str) -> None:
    assert isinstance(decoded(octets, charset), str)


def test_a_name_that_nobody_knows_is_not_kept() -> None:
    """Python remembers each charset that it has looked for in vain; a stranger may think of millions."""
    kept = len(encodings._cache)
    for number in range(100):
        decoded(b"x", f"nobody-knows-{number}")
    assert len(encodings._cache) == kept


def test_words_without_an_end_are_read_once() -> None:
    """Counted by what a second pass over the rest would find: the pattern stops at the next question mark."""
    written = "=?a?q?" * 2_000
    assert decode(written) == written
