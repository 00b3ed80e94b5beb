"""A part like many others is described by heart; it must be described as one that was never seen."""

from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.budget import Limits, budget
from mailhost.message.media import (
    MOST_USUAL_OCTETS,
    PLAIN_TEXT,
    Leaf,
    basic_fields,
    leaf_extension,
    media_of,
    usual_leaf,
)

NAMES = st.sampled_from(
    [b"content-" + each for each in b"type transfer-encoding id description md5 disposition language location".split()]
)
WORDS = st.sampled_from(b"text plain image png multipart mixed message rfc822 a de 8bit attachment x\xff".split())
MARKS = st.sampled_from([b"/", b"; ", b"=", b'"', b"(", b")", b" ", b"\r\n ", b",", b"\\"])
FIELDS = st.dictionaries(NAMES, st.lists(st.one_of(WORDS, MARKS), max_size=10).map(b"".join))
USUAL = [b"text/plain; charset=utf-8", b"image/png; name=a.png", b"multipart/mixed; boundary=x", b"message/rfc822"]


@given(FIELDS, st.sampled_from([None, *USUAL]))
def test_what_is_known_by_heart_is_what_would_be_read(fields: dict[bytes, bytes], content_type: bytes | None) -> None:
    if content_type is not None:
        fields = fields | {b"content-type": content_type}
    short, long = budget(Limits()), budget(Limits())
    leaf = usual_leaf(fields, short)
    media = media_of(fields, PLAIN_TEXT, long)
    if media.main == b"MULTIPART" or media.is_message:
        assert leaf is None
        return
    assert leaf is not None
    read = Leaf(media.main == b"TEXT", basic_fields(media, fields), leaf_extension(fields, long), leaf.parameters)
    assert (leaf, short) == (read, long)


def test_by_heart_no_more_parameters_are_read_than_the_budget_has() -> None:
    fields = {b"content-type": b"text/plain" + b";a=" * (MOST_USUAL_OCTETS // 3)}
    assert usual_leaf(fields, budget(Limits(parameters=5))) is None
    assert usual_leaf(fields, budget(Limits())) is not None
