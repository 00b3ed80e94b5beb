"""Encoded words: what is decoded is what was there, and no line and no character is broken."""

import email
import email.policy
import re
from email.header import decode_header

from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.encoded_words import encoded, folded, room_for, text_of, unstructured

LETTERS = st.text("abcXYZ019.,;:@()<>=?_\"\\'-é张三文件🙂", min_size=1, max_size=30)
WORDS = st.one_of(LETTERS, st.sampled_from(["=?UTF-8?Q?abc?=", "=?utf-8?B?5byg?=", "plain", "é", "=?", "?="]))
BLANKS = st.sampled_from([" ", "  ", "\t"])


@st.composite
def texts(draw: st.DrawFn) -> str:
    first, *others = draw(st.lists(WORDS, min_size=1, max_size=12))
    return first + "".join(draw(BLANKS) + word for word in others)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=200), st.integers(40, 75))
def test_each_encoded_word_is_short_and_whole(text: str, room: int) -> None:
    words = encoded(text, room)
    assert all(len(word) <= room and word.isascii() for word in words)
    decoded = [octets.decode() for word in words for octets, _ in decode_header(word.decode())]
    assert "".join(decoded) == text


@given(texts(), st.sampled_from([b"Subject", b"X-A-Name-That-Is-Rather-Long"]))
def test_a_text_decodes_to_what_it_was(text: str, name: bytes) -> None:
    field = folded(name, unstructured(text.encode(), room_for(name)))
    assert field.isascii()
    assert field.endswith(b"\r\n")
    lines = field[:-2].split(b"\r\n")
    assert all(line.strip() and line[:1] in b" \t" for line in lines[1:])
    assert decoded(field) == decoded(name + b": " + text.encode() + b"\r\n")


def decoded(field: bytes) -> str:
    """As a reader sees it: each run of encoded words, then what was raw."""
    unfolded = field.replace(b"\r\n", b"").decode()
    value = unfolded.partition(":")[2].strip()
    return _read(value)


def _read(value: str) -> str:
    """RFC 2047 section 6.2 by the letter: encoded words are words, and blanks between two of them go."""
    word = r"=\?[^?\s]+\?[BbQq]\?[^?\s]*\?="
    out, at, was_word = "", 0, False
    for found in re.finditer(rf"(?:(?<=^)|(?<=[ \t]))({word})(?=$|[ \t])", value):
        gap = value[at : found.start()]
        out += "" if was_word and not gap.strip(" \t") else gap
        ((octets, charset),) = decode_header(found[1])
        out += octets.decode(charset or "ascii")
        at, was_word = found.end(), True
    return out + value[at:]


def test_long_texts_stay_within_their_lines() -> None:
    field = folded(b"Subject", unstructured(("会议纪要" * 100).encode(), room_for(b"Subject")))
    assert max(map(len, field.split(b"\r\n"))) <= 76
    assert email.message_from_bytes(field, policy=email.policy.default)["subject"] == "会议纪要" * 100


def test_ascii_around_stays_readable() -> None:
    field = folded(b"Subject", unstructured("Re: 你好 of the   day".encode(), room_for(b"Subject")))
    assert field == b"Subject: Re: =?UTF-8?B?5L2g5aW9?= of the   day\r\n"


def test_octets_that_are_no_utf8_are_read_as_chinese_then_as_western() -> None:
    assert text_of("发票".encode("gb18030")) == "发票"
    assert text_of(b"caf\xe9") == "café"
