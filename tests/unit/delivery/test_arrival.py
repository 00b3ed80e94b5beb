"""A message on its way in: the filter sees the header block and nothing else, however the pieces come."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.database.database import Database
from mailhost.delivery.arrival import SCAN_IN_LOOP, Arrival, HeaderTooLarge
from mailhost.message.budget import Limits
from mailhost.store.octets import BlobSettings, BlobStore
from mailhost.store.values import Content, Place

NO_DATABASE: Database = None  # type: ignore[assignment]  # what arrives meets the database later
MARK = b"X-Filtered: yes\r\n"
CONTENTS = st.sampled_from(
    [
        (b"", True),
        (b"\r\n", True),
        (b"\r\nbody\r\n", True),
        (b"Subject: x\r\n", True),
        (b"Subject: x\r\n\r\n", True),
        (b"Subject : x\r\n folded\r\n\r\nTo: body\r\n\r\nx\r\n", True),
        (b"no header\r\nSubject: x\r\n\r\n", False),
        (b" Subject: x\r\n\r\nx\r\n", False),
        (b"From alice Sat Nov 21\r\nSubject: x\r\n\r\n", False),
        (b"just text\r\n", False),
    ]
)


def arrival(folder: Path, most_header: int = 1 << 20) -> Arrival:
    seen: list[bytes] = []

    def mark(header: bytes) -> bytes:
        assert not seen, "filtered twice"
        seen.append(header)
        return MARK + header

    return Arrival(BlobStore(NO_DATABASE, BlobSettings(folder)), mark, Limits(), most_header)


async def arrived(one: Arrival, pieces: list[bytes]) -> bytes:
    for piece in pieces:
        await one.write(piece)
    blob = (await one.finish()).blob
    assert blob.place is Place.INLINE
    return one._blobs.expand(blob)


@given(CONTENTS, st.integers(1, 60))
def test_the_header_passes_the_filter_once_and_content_without_one_is_untouched(
    given: tuple[bytes, bool], size: int
) -> None:
    content, has_header = given
    pieces = [content[at : at + size] for at in range(0, len(content), size)]
    kept = asyncio.run(arrived(arrival(Path("unused")), pieces))
    assert kept == (MARK + content if has_header else content)


def test_the_filter_gets_the_header_block_with_its_empty_line(tmp_path: Path) -> None:
    heard: list[bytes] = []
    one = Arrival(
        BlobStore(NO_DATABASE, BlobSettings(tmp_path)),
        lambda head: b"" if heard.append(head) else b"Y: 1\r\n\r\n",  # type: ignore[func-returns-value]  # None, every time
        Limits(),
        1000,
    )
    assert asyncio.run(arrived(one, [b"A: 1\r\nBcc: b\r\n\r", b"\nBcc: body\r\n"])) == b"Y: 1\r\n\r\nBcc: body\r\n"
    assert heard == [b"A: 1\r\nBcc: b\r\n\r\n"]


def test_a_header_beyond_its_bound_is_refused_before_its_end_comes(tmp_path: Path) -> None:
    one = arrival(tmp_path, most_header=1000)

    async def write() -> None:
        for _ in range(100):
            await one.write(b"A: " + b"x" * 20 + b"\r\n")

    with pytest.raises(HeaderTooLarge):
        asyncio.run(write())
    assert one.size <= 1000 + 25


@pytest.mark.parametrize(
    "content",
    [
        b"A: " + b"x" * SCAN_IN_LOOP + b"\r\n\r\nbody\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n" * 3_000,
    ],
    ids=["a large header", "many parts"],
)
def test_what_is_costly_is_filtered_and_scanned_elsewhere_with_the_same_result(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = arrival(tmp_path), arrival(tmp_path)
    calls = 0
    in_thread = there._blobs.in_thread

    async def counted(call: Callable[[], Any]) -> Any:
        nonlocal calls
        calls += 1
        return await in_thread(call)

    monkeypatch.setattr(there._blobs, "in_thread", counted)

    async def both() -> tuple[Content, Content]:
        with monkeypatch.context() as patched:
            patched.setattr("mailhost.delivery.arrival.SCAN_IN_LOOP", 1 << 30)
            patched.setattr("mailhost.delivery.arrival.DELIMITERS_IN_LOOP", 1 << 30)
            await here.write(content)
            one = await here.finish()
        await there.write(content)
        return one, await there.finish()

    one, other = asyncio.run(both())
    assert calls > 0
    assert one.structure == other.structure
    assert one.blob.sha256 == other.blob.sha256


def test_many_small_pieces_are_each_looked_at_once(tmp_path: Path) -> None:
    """Were the whole header searched for each piece, this would be 10^10 octets."""
    one = arrival(tmp_path)
    assert one._head is not None

    async def write() -> list[int]:
        searched = []
        await one.write(b"A: ")
        for _ in range(1_000):
            await one.write(b"x" * 50 + b"\r\n ")
            searched.append(one._searched)
        return searched

    searched = asyncio.run(write())
    assert searched == [3 + 53 * (number + 1) for number in range(1_000)]
