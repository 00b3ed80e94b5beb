import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message import headers
from mailhost.message.headers import field_value, fields, remove_fields, select_fields

BLOCK = b"From: a@b\r\nSubject : one\r\n two\r\nBCC:\r\n\tc@d,\r\n\te@f\r\nbcc: g@h\r\n\r\nBcc: body@x\r\n"
blocks = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from([b"A:", b"Bcc: x", b"\r\n", b"\n", b"\r", b" ", b"y", b":"]), max_size=30).map(b"".join),
)


def test_fields_come_in_order_with_their_octets() -> None:
    assert fields(BLOCK) == [
        (b"From", b"From: a@b\r\n"),
        (b"Subject", b"Subject : one\r\n two\r\n"),
        (b"BCC", b"BCC:\r\n\tc@d,\r\n\te@f\r\n"),
        (b"bcc", b"bcc: g@h\r\n"),
    ]


def test_garbage_belongs_to_no_field() -> None:
    assert fields(b" folded first\nFrom mbox\nA: b\ngarbage\nC: d") == [(b"A", b"A: b\n"), (b"C", b"C: d")]


@pytest.mark.parametrize(
    ("names", "exclude", "expected"),
    [
        ([b"SUBJECT"], False, b"Subject : one\r\n two\r\n\r\n"),
        ([b"bcc", b"from"], False, b"From: a@b\r\nBCC:\r\n\tc@d,\r\n\te@f\r\nbcc: g@h\r\n\r\n"),
        ([b"bcc", b"from"], True, b"Subject : one\r\n two\r\n\r\n"),
        ([b"X"], False, b"\r\n"),
        ([], False, b"\r\n"),
    ],
)
def test_selection(names: list[bytes], exclude: bool, expected: bytes) -> None:
    assert select_fields(BLOCK, names, exclude=exclude) == expected


def test_a_selection_always_ends_with_an_empty_line() -> None:
    assert select_fields(b"A: b", [b"a"]) == b"A: b\r\n\r\n"
    assert select_fields(b"A: b\nC: d", [b"c"]) == b"C: d\n\n"
    assert select_fields(b"", [b"c"]) == b"\r\n"


@given(blocks)
def test_a_selection_and_its_opposite_are_all_fields(block: bytes) -> None:
    chosen, others = select_fields(block, [b"a"]), select_fields(block, [b"a"], exclude=True)
    assert len(fields(chosen)) + len(fields(others)) == len(fields(block))
    assert {name.lower() for name, _ in fields(chosen)} <= {b"a"}
    assert b"a" not in {name.lower() for name, _ in fields(others)}


def test_a_value_is_unfolded() -> None:
    assert field_value(BLOCK, b"subject") == b"one two"
    assert field_value(BLOCK, b"Bcc") == b"c@d,\te@f"
    assert field_value(BLOCK, b"Date") is None


def test_bcc_is_removed_from_the_header_alone() -> None:
    without = remove_fields(BLOCK, lambda name, _: name == b"bcc")
    assert without == b"From: a@b\r\nSubject : one\r\n two\r\n\r\nBcc: body@x\r\n"


@given(blocks)
def test_removing_takes_whole_fields_and_nothing_else(block: bytes) -> None:
    removed = [raw for name, raw in fields(block) if name.lower() == b"bcc"]
    without = remove_fields(block, lambda name, _: name == b"bcc")
    assert len(without) == len(block) - sum(map(len, removed))
    assert [field for field in fields(block) if field[0].lower() != b"bcc"] == [
        field for field in fields(without) if field[0].lower() != b"bcc"
    ]


@given(blocks)
def test_nothing_is_read_behind_the_first_empty_line(block: bytes) -> None:
    empty = re.search(rb"^\r?(?:\n|\Z)", block, re.MULTILINE)
    end = empty.start() if empty else len(block)
    assert headers._fields_end(block) == end
    assert fields(block) == fields(block[:end])
