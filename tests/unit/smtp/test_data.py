"""Where a message ends: over every split, with CRLF.CRLF and with nothing else."""

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.smtp.data import END, DataDecoder

LINES = st.lists(
    st.binary(max_size=20).map(lambda line: re.sub(rb"[\r\n\0]", b"", line))
    | st.sampled_from([b"", b".", b"..", b".a"]),
    max_size=8,
)
HOSTILE = st.lists(
    st.sampled_from([b"\r", b"\n", b".", b"\r\n", b"\r\n.", b"\n.\n", b"\0", b"a", b"MAIL"]), max_size=24
).map(b"".join)
CUTS = st.lists(st.integers(0, 400), max_size=12)


def message(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\r\n" for line in lines)


def stuffed(content: bytes) -> bytes:
    return re.sub(rb"(^|\r\n)\.", rb"\1..", content)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(places)]


def fed(decoder: DataDecoder, data: bytes, cuts: list[int]) -> bytes:
    """What the decoder gives until the end comes; what the network brings after it is put to the rest."""
    content, left = b"", pieces(data, cuts)
    while left and decoder.rest is None:
        content += decoder.feed(left.pop(0))
    if decoder.rest is not None:
        decoder.rest += b"".join(left)
    return content


@given(LINES, CUTS, st.binary(max_size=20))
def test_what_is_fed_stuffed_comes_out_as_it_was(lines: list[bytes], cuts: list[int], after: bytes) -> None:
    content = message(lines)
    decoder = DataDecoder()
    assert fed(decoder, stuffed(content) + b".\r\n" + after, cuts) == content
    assert decoder.rest == after
    assert not decoder.bare_newlines
    assert not decoder.nul


@given(LINES)
def test_octet_by_octet_and_in_one_piece_are_the_same(lines: list[bytes]) -> None:
    content = message(lines)
    data = stuffed(content) + b".\r\n"
    assert fed(DataDecoder(), data, list(range(len(data)))) == content
    assert fed(DataDecoder(), data, []) == content


@given(HOSTILE, CUTS)
def test_the_end_is_the_first_crlf_dot_crlf_wherever_the_pieces_are_cut(noise: bytes, cuts: list[int]) -> None:
    data = noise + END + b"MAIL FROM:<smuggled@example.net>\r\n"
    seen = b"\r\n" + data
    decoder = DataDecoder()
    content = fed(decoder, data, cuts)
    assert decoder.rest == seen[seen.index(END) + len(END) :]
    assert content == seen[: seen.index(END) + 2].replace(b"\r\n.", b"\r\n")[2:]


@given(HOSTILE, CUTS)
def test_a_bare_newline_is_noticed_over_every_split(noise: bytes, cuts: list[int]) -> None:
    seen = b"\r\n" + noise + END
    content = seen[: seen.index(END) + 2]
    decoder = DataDecoder()
    fed(decoder, noise + END, cuts)
    assert decoder.bare_newlines is (re.search(rb"\r(?!\n)|(?<!\r)\n", content) is not None)
    assert decoder.nul is (b"\0" in content)


@given(HOSTILE, CUTS)
def test_normalised_it_ends_at_the_same_place_and_has_no_line_end_but_crlf(noise: bytes, cuts: list[int]) -> None:
    data = noise + END + b"rest"
    refusing, normalising = DataDecoder(), DataDecoder(normalise=True)
    as_sent = fed(refusing, data, cuts)
    content = fed(normalising, data, cuts)
    assert normalising.rest == refusing.rest
    assert not normalising.bare_newlines
    assert content == re.sub(rb"\r\n|\r|\n", b"\r\n", as_sent)


@pytest.mark.parametrize("cut", range(12))
def test_a_bare_newline_at_the_border_of_two_pieces_is_one_line_end(cut: int) -> None:
    data = b"a\rb\nc\r\nd\r\r\n.\r\n"
    assert fed(DataDecoder(normalise=True), data, [cut]) == b"a\r\nb\r\nc\r\nd\r\n\r\n"


def test_a_dot_after_a_bare_newline_is_neither_an_end_nor_stuffing() -> None:
    decoder = DataDecoder(normalise=True)
    assert fed(decoder, b"a\n.\nb\r.\rc\n..d\r\n.\r\n", []) == b"a\r\n.\r\nb\r\n.\r\nc\r\n..d\r\n"
    assert decoder.rest == b""


@pytest.mark.parametrize("first", [b".\r\n", b".", b".\r"])
def test_a_message_may_be_empty(first: bytes) -> None:
    decoder = DataDecoder()
    assert decoder.feed(first) + decoder.feed(b".\r\n"[len(first) :]) == b""
    assert decoder.rest == b""


@given(st.binary(max_size=2_000), CUTS)
def test_little_is_held_back(data: bytes, cuts: list[int]) -> None:
    decoder = DataDecoder()
    given_back = fed(decoder, data.replace(b".", b""), cuts)
    assert len(data.replace(b".", b"")) - len(given_back) <= len(END) + 1


@given(HOSTILE, CUTS)
def test_who_watches_sees_the_message_as_it_was_sent_without_its_final_dot(data: bytes, cuts: list[int]) -> None:
    decoder, shown = DataDecoder(), b""
    for piece in pieces(data + END + b"QUIT\r\n", cuts):
        decoder.feed(piece)
        shown += decoder.as_sent(piece)
        if decoder.rest is not None:
            break
    whole = b"\r\n" + data + END  # the line end of DATA itself counts
    assert shown == whole[2 : whole.index(END) + 2]


def test_who_watches_does_not_wait_for_the_next_line() -> None:
    decoder = DataDecoder()
    for piece in (b"Subject: x\r\n", b".", b".dots\r\n"):
        decoder.feed(piece)
        assert decoder.as_sent(piece) == {b".": b"", b".dots\r\n": b"..dots\r\n"}.get(piece, piece)
