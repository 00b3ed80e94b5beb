"""ENVELOPE's short ways say what its long ways say."""

from hypothesis import example, given
from hypothesis import strategies as st

from mailhost.message import envelope
from mailhost.message.budget import Limits, budget
from mailhost.message.lexical import unfold

WORDS = st.sampled_from(
    [b"Ann", b"O'Neil", b"J.", b"=?utf-8?q?D=C3=A9?=", b"a", b"\xc3\xa9", b"x" * 1_200, b"[1]", b"(c)"]
)
MARKS = st.sampled_from([b" ", b"  ", b"\t", b'"', b"\\", b"<", b">", b"@", b",", b";", b":", b"."])
ADDRESSES = st.sampled_from(
    [b"<a@b.example>", b" <a.b+c@[192.0.2.1]>", b"a@b", b"<@r:a@b>", b"<a@b@c>", b'"a b" <a@b>']
)
VALUES = st.lists(st.one_of(WORDS, MARKS, ADDRESSES), max_size=8).map(b"".join)


@given(VALUES)
@example(b"Alice Example <alice@example.com>")
@example(b'"Bob, Example" <bob@example.org>')
@example(b"<>")
@example(b'" " <a@b>')
def test_the_short_way_for_one_address_says_what_the_long_way_says(value: bytes) -> None:
    value = unfold(value)
    short, long = budget(Limits()), budget(Limits())
    one = envelope._one_address(value, short)
    assert one is None or (one, short.addresses) == (envelope._any_addresses(value, long), long.addresses)


def test_the_short_way_is_taken_for_what_nearly_all_write() -> None:
    for value in (b"Alice Example <alice@example.com>", b'"Bob, Example" <bob@example.org>', b"<a@b>"):
        assert envelope._one_address(value, budget(Limits())) is not None
