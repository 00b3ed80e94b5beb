"""What header fields say, however they were written."""

import base64
import warnings
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.charsets import codec_of, decoded, decoded_pieces
from mailhost.message.header_text import parameter_texts, unstructured_text

CHARSETS = st.sampled_from(["utf-8", "gb18030", "GBK", "big5", "iso-2022-jp", "shift_jis", "windows-1252", "euc-kr"])
HAN = st.text(st.sampled_from("发票关于通知的中文 a"), min_size=1, max_size=40)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"=?utf-8?B?5Lit5paH?=", "中文"),
        (b"=?gb2312?Q?=D6=D0=CE=C4?= x", "中文 x"),
        (b"=?utf-8*zh?q?=E4=B8=AD_=E6=96=87?=", "中 文"),
        (b"=?no-such-charset?Q?a=E4=B8=AD?=", "a中"),
        (b"=?us-ascii?Q?=D6=D0?=", "中"),
        (b"=?utf-8?Q?a?= =?utf-8?Q?b?= c =?utf-8?Q?d?=", "ab c d"),
        (b"=?utf-8?Q?a?==?gbk?Q?=D6=D0?=", "a中"),
        (b"=?utf-8?B?5Lit5paH", "=?utf-8?B?5Lit5paH"),
        (b"=?utf-8?X?a?=", "=?utf-8?X?a?="),
        (b"=?utf-8?B?YQ?= =?utf-8?B?#?=", "a"),
        (b"\xe4\xb8\xad raw", "中 raw"),
        (b"\xd6\xd0 raw", "中 raw"),
        (b"\xff\xff raw", "\u00ff\u00ff raw"),
        (b"", ""),
    ],
)
def test_examples(value: bytes, text: str) -> None:
    assert unstructured_text(value) == text


@given(HAN, st.data())
def test_words_that_are_cut_anywhere_are_put_together(text: str, data: st.DataObject) -> None:
    octets = text.encode("gb18030")
    cuts = sorted({0, len(octets), *data.draw(st.lists(st.integers(0, len(octets)), max_size=5))})
    pieces = [octets[low:high] for low, high in pairwise(cuts)]
    words = [b"=?gb2312?B?%b?=" % base64.b64encode(piece) for piece in pieces]
    assert unstructured_text(b" ".join(words)) == text


@given(st.lists(st.tuples(st.booleans(), st.binary(min_size=1, max_size=20)), min_size=1, max_size=6))
def test_parameters_in_pieces_are_put_together(pieces: list[tuple[bool, bytes]]) -> None:
    pieces[0] = (True, b"utf-8''")
    written = [
        b"; name*%d%b=%b" % (place, b"*" if encoded else b"", _escaped(text) if encoded and place else text)
        for place, (encoded, text) in enumerate(pieces)
        if encoded
    ]
    expected = b"".join(text for encoded, text in pieces[1:] if encoded).decode("utf-8", "replace")
    assert parameter_texts(b"attachment" + b"".join(reversed(written))) == [expected]


def _escaped(octets: bytes) -> bytes:
    return b"".join([b"%%%02X" % octet for octet in octets])


@given(st.binary(max_size=300))
def test_no_field_is_too_strange(octets: bytes) -> None:
    assert isinstance(unstructured_text(octets), str)
    assert all(isinstance(text, str) for text in parameter_texts(b"x;" + octets))


@pytest.mark.parametrize(
    "name",
    [
        "idna",
        "punycode",
        "unicode_escape",
        "raw-unicode-escape",
        "rot13",
        "base64",
        "zlib",
        "mbcs",
        "undefined",
        "",
        "x" * 100,
        "os",
    ],
)
def test_what_is_no_charset_is_not_asked_for(name: str) -> None:
    assert codec_of(name) is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decoded(b"a\\x\xd6\xd0", name) == "a\\x中"


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("GB2312", "gb18030"),
        ("gbk", "gb18030"),
        ("'UTF-8'", "utf_8"),
        ("ISO-8859-1", "cp1252"),
        ("x-gbk", "gb18030"),
        ("cp936", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("koi8-u", "koi8_u"),
        ("us-ascii", None),
    ],
)
def test_charsets_mean_their_larger_form(name: str, codec: str | None) -> None:
    assert codec_of(name) == codec


@given(CHARSETS, st.text(st.sampled_from("abc 中文"), max_size=200), st.integers(1, 7))
def test_text_in_pieces_is_the_text(charset: str, text: str, size: int) -> None:
    octets = text.encode(codec_of(charset) or "", "replace")
    pieces = [octets[start : start + size] for start in range(0, len(octets), size)]
    assert "".join(decoded_pieces(pieces, charset)) == octets.decode(codec_of(charset) or "")
