"""Mailbox names on the wire, in both encodings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.imap.grammar import Reader
from mailhost.imap.names import read, written

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)


@pytest.mark.parametrize("utf8", [False, True])
@given(name=NAMES)
def test_a_name_reads_back_as_it_was_written(utf8: bool, name: str) -> None:
    sent = written(name, utf8=utf8)
    assert b"\r" not in sent or sent.startswith(b"{")
    if not sent.startswith(b"{"):
        assert Reader(sent, utf8=utf8).mailbox() == name


@pytest.mark.parametrize(
    ("name", "utf7", "utf8"),
    [
        ("已发送", b"&XfJT0ZAB-", '"已发送"'.encode()),
        ("R&D", b"R&-D", b"R&D"),
        ("Sent Items", b'"Sent Items"', b'"Sent Items"'),
        ('say "ja"', b'"say \\"ja\\""', b'"say \\"ja\\""'),
        ('"ä\\', b'"\\"&AOQ-\\\\"', '"\\"ä\\\\"'.encode()),
    ],
)
def test_examples(name: str, utf7: bytes, utf8: bytes) -> None:
    assert written(name, utf8=False) == utf7
    assert written(name, utf8=True) == utf8


def test_what_is_no_utf8_is_no_name() -> None:
    with pytest.raises(ValueError, match="UTF-8"):
        read(b"\xff", utf8=True)
