"""Chunks: over every split the same octets, refused exactly where a line end or a NUL says so."""

import itertools
import re

from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.newlines import with_crlf
from mailhost.smtp.data import ChunkDecoder

OCTETS = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b"\r\n.\r\n", b"\0", b"a", b".", b"MAIL"]), max_size=24).map(
    b"".join
)
CUTS = st.lists(st.integers(0, 200), max_size=8)


def fed(decoder: ChunkDecoder, data: bytes, cuts: list[int]) -> bytes:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return b"".join(decoder.feed(data[start:end]) for start, end in itertools.pairwise(places)) + decoder.end()


@given(OCTETS, CUTS)
def test_what_is_wrong_is_seen_wherever_a_chunk_ends(data: bytes, cuts: list[int]) -> None:
    decoder = ChunkDecoder()
    assert fed(decoder, data, cuts) == data
    assert decoder.bare_newlines == bool(re.search(rb"\r(?!\n)|(?<!\r)\n", data))
    assert decoder.nul == (b"\0" in data)


@given(OCTETS, CUTS)
def test_bare_newlines_are_mended_the_same_way_wherever_a_chunk_ends(data: bytes, cuts: list[int]) -> None:
    decoder = ChunkDecoder(normalise=True)
    assert fed(decoder, data, cuts) == with_crlf(data)
    assert not decoder.bare_newlines


@given(st.binary(), CUTS, st.booleans())
def test_a_binary_message_may_hold_any_octet(data: bytes, cuts: list[int], normalise: bool) -> None:
    decoder = ChunkDecoder(normalise=normalise, binary=True)
    assert fed(decoder, data, cuts) == data
    assert not decoder.bare_newlines
    assert not decoder.nul
