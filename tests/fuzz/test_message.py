"""The scanner of messages and the text that SEARCH looks at: what it reads, and how long that takes.

That whatever it answers is valid IMAP is in tests/unit/message/test_structure_of_anything.py.
"""

from hypothesis import example, given
from hypothesis import strategies as st

from mailhost.imap.search_text import WHOLE_HEADER, folded, folded_fields, part_text
from mailhost.message import media, word_reader
from mailhost.message.structure import scan
from tests.fuzz.soup import BOTH_FORMS, grows_linearly, soups

WORDS = [
    b"Content-Type: multipart/mixed; boundary=a\r\n", b"Content-Type: message/rfc822\r\n", b"Content-Type: text/html; charset=gbk\r\n",
    b"Content-Type: text/plain; a*0=b; a*1*=c", b"Content-Transfer-Encoding: base64\r\n", b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Subject: ", b"To: ", b"=?utf-8?q?", b"=?gb2312?b?1tDOxA==?=", b"?=", b"=?punycode?q?a?=", b"a@b, ", b"g: a@b;", b"(", b'"', b"\\",
    b"\r\n", b"\r\n\r\n", b"\n", b"--a\r\n", b"--a--", b"--a", b"<b>", b"<", b"&amp;", b"&#x110000;", b"=C3=A4", b"=", b"5Lit", b"\xcc\x81", b"\0", b" ", b"x",
]  # fmt: skip
SOUPS = soups(WORDS, 40)


def look(content: bytes) -> None:
    media._leaf_of.cache_clear()  # what is remembered would not be counted
    scanned = scan(content)
    assert 0 <= scanned.header_octets <= len(content)
    header, body = content[: scanned.header_octets], content[scanned.header_octets :]
    folded_fields(header, {WHOLE_HEADER, b"subject"})
    part_text(header, body)


@BOTH_FORMS
@given(content=SOUPS)
@example(content=b"Content-Type: message/rfc822\r\n\r\n" * 300)
def test_any_message_is_taken_apart_and_has_text(form: str, content: bytes) -> None:
    look(content)


@BOTH_FORMS
@given(text=SOUPS.map(lambda octets: octets.decode("latin-1")) | st.text(max_size=60))
def test_any_field_is_text(form: str, text: str) -> None:
    assert len(folded(word_reader.decode(text))) <= 4 * 3 * len(text.encode())  # NFKC, then case


@BOTH_FORMS
@given(piece=soups(WORDS, 4))
def test_four_times_as_much_takes_four_times_as_long(form: str, piece: bytes) -> None:
    for before in (b"", b"Content-Type: multipart/mixed; boundary=a\r\n\r\n", b"Subject: "):
        assert grows_linearly(look, piece, before)
