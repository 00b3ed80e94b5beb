"""Whatever octets come: an answer, valid IMAP, offsets inside the content, bounded work."""

import mmap
import re
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailhost.message.budget import Limits
from mailhost.message.parts import Part, message, part
from mailhost.message.structure import Scanned, scan
from tests.unit.message.imap_reader import check_body, check_envelope, read

WORDS = [
    b"Content-Type:", b" multipart/mixed", b" multipart/digest;", b"; boundary=a", b'; boundary="a b"', b"; boundary=aa",
    b"\r\n", b"\n", b"\r", b"\r\n\r\n", b"\n\n", b"--a", b"--aa", b"--a--", b"--a b", b" message/rfc822", b" text/plain",
    b"From:", b"To: ", b"Date: Sat, 21 Nov 2026 10:00:00 +0000", b"Subject:", b"Message-ID: <a@b>", b"Sender:", b"Cc: g: ",
    b"a@b", b"<a@b>", b"<@r:a@b>", b",", b";", b":", b"(", b")", b'"', b"\\", b"\0", b"\xe4\xbd", b" ", b"\t", b"=", b"x",
    b"Content-Disposition: attachment; filename*0=a", b"Content-Language: de, en", b"Content-MD5: x", b"{3}",
]  # fmt: skip
messy = st.one_of(st.binary(max_size=300), st.lists(st.sampled_from(WORDS), max_size=60).map(b"".join))
tight = st.builds(
    Limits,
    parts=st.integers(1, 5),
    depth=st.integers(0, 3),
    header_octets=st.integers(0, 60),
    all_header_octets=st.integers(0, 150),
    addresses=st.integers(0, 3),
    parameters=st.integers(0, 3),
    boundary_octets=st.integers(0, 3),
    false_delimiters=st.integers(0, 3),
)


def check(content: bytes, scanned: Scanned) -> int:
    check_envelope(read(scanned.envelope))
    count = check_body(read(scanned.body), extended=False)
    assert check_body(read(scanned.body_structure), extended=True) == count
    check_sections(content, scanned)
    assert 0 <= scanned.header_octets <= len(content)
    assert b"\0" not in scanned.message_id
    return count


def check_sections(content: bytes, scanned: Scanned) -> None:
    root = message(scanned.parts, ())
    assert root == Part(0, scanned.header_octets, len(content), root is not None and root.is_message)
    sections = list(walk(scanned.parts, (), root))
    assert sections, "every message has a part 1"


def walk(parts: bytes, section: tuple[int, ...], parent: Part | None) -> Iterator[tuple[int, ...]]:
    """Every section that the table knows lies in its parent, after its elder sister."""
    assert parent is not None
    number, at = 1, 0
    while found := part(parts, (*section, number)):
        assert found.header_start <= found.body_start <= found.end <= parent.end
        assert found.header_start >= at
        at = found.end
        yield (*section, number)
        inner = message(parts, (*section, number))
        assert (inner is not None) == found.is_message
        if inner:
            assert (inner.header_start, inner.end) == (found.body_start, found.end)
        if part(parts, (*section, number, 1)):
            yield from walk(parts, (*section, number), inner or found)
        number += 1


@given(messy)
def test_any_content_gives_valid_imap(content: bytes) -> None:
    check(content, scan(content))


@given(messy, tight)
def test_any_content_gives_valid_imap_under_any_limits(content: bytes, limits: Limits) -> None:
    count = check(content, scan(content, limits))
    assert count <= limits.parts + limits.depth + 1


@given(messy)
def test_the_header_ends_with_the_first_empty_line(content: bytes) -> None:
    octets = scan(content).header_octets
    header = content[:octets]
    if not octets:
        assert not re.match(rb"[!-9;-~]+[ \t]*:|\r?\n", content)
    elif octets < len(content):
        assert re.search(rb"(?:\A|\n)\r?\n\Z", header)
        assert not re.search(rb"\n\r?\n", header[:-1].removesuffix(b"\r"))


@settings(max_examples=20)
@given(messy.filter(bool))
def test_a_mapped_file_reads_like_octets(content: bytes) -> None:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            assert scan(mapped) == scan(content)


def parts_of(number: int) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--b\n\nx\n" * number + b"--b--\n"


def nested(levels: int, text: bytes = b"x") -> bytes:
    heads = [b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(levels)]
    return b"".join(heads) + b"\n" + text + b"\n" + b"".join(b"--b%d--\n" % n for n in reversed(range(levels)))


HOSTILE = {
    "10,000 parts": parts_of(10_000),
    "1,000 deep": nested(1_000),
    "50 deep with a long text": nested(50, b"--b\n" * 250_000),
    "1,000 messages in messages": b"Content-Type: message/rfc822\n\n" * 1_000 + b"\n",
    "100,000 parameters": b"Content-Type: text/plain" + b"".join(b";\n a*%d*=x" % n for n in range(100_000)) + b"\n\n",
    "100,000 short parameters": b"Content-Type: text/plain" + b";a=b" * 60_000 + b"\n\n",
    "semicolons": b"Content-Type: text/plain" + b";" * 250_000 + b"\n\n",
    "a header line of 1 MB": b"Subject: " + b"x" * 1_000_000 + b"\n\n",
    "a name of 1 MB": b"x" * 1_000_000,
    "open comments": b"From: " + b"(" * 250_000 + b"\nContent-Type: " + b"(" * 250_000 + b"\n\n",
    "escapes in a comment": b"From: (" + b"\\" * 250_000 + b"\n\n",
    "open quotes": b"From: " + b'"' * 250_001 + b"\n\n",
    "escapes in a quoted string": b'From: "' + b"\\" * 250_001 + b'\nContent-Type: a/b; c="' + b"\\" * 250_001 + b"\n\n",
    "open angles": b"From: " + b"<" * 250_000 + b"\n\n",
    "blanks": b"From: " + b" " * 250_000 + b"x" + b"\t" * 1_000 + b"\nDate: " + b" " * 10_000 + b"\n\n",
    "blanks in parameters": b"Content-Type: text/plain; " + b" " * 250_000 + b"a" + b" " * 1_000 + b"\n\n",
    "commas": b"From: " + b"," * 250_000 + b"\n\n",
    "colons": b"From: " + b":" * 250_000 + b"\n\n",
    "at signs": b"From: " + b"@" * 250_000 + b"\n\n",
    "100,000 addresses": b"To: " + b"a@b," * 100_000 + b"\n\n",
    "100,000 folds": b"To:" + b"\n a" * 100_000 + b"\n\n",
    "100,000 fields": b"A: b\n" * 100_000 + b"\n",
    "false delimiters": b"Content-Type: multipart/mixed; boundary=b\n\n" + b"--bx\n" * 200_000 + b"--b\n\nx\n--b--\n",
    "blanks after delimiters": b"Content-Type: multipart/mixed; boundary=b\n\n" + (b"--b" + b" " * 90 + b"x\n") * 10_000,
    "line ends": b"A: b" + b"\r" * 500_000 + b"\n" + b"\n" * 500_000,
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_message_costs_bounded_work(name: str) -> None:
    """Quadratic cost would take minutes on these; two seconds of this process's own time are a generous guard."""
    content = HOSTILE[name]
    begun = time.process_time()
    scanned = scan(content)
    assert time.process_time() - begun < 2
    assert check(content, scanned) <= 1_000 + 50 + 1
    assert len(scanned.body_structure) < 2_500_000
    assert len(scanned.envelope) < 2_500_000


def test_what_is_beyond_the_most_parts_is_one_opaque_part() -> None:
    content = parts_of(10)
    scanned = scan(content, Limits(parts=4))
    *children, subtype = read(scanned.body)
    assert subtype == b"MIXED"
    assert [child[:2] for child in children] == [[b"TEXT", b"PLAIN"]] * 3 + [[b"APPLICATION", b"OCTET-STREAM"]]
    last = part(scanned.parts, (4,))
    assert last is not None
    assert content[last.body_start : last.end] == b"\nx\n" + b"--b\n\nx\n" * 6 + b"--b--\n"


def test_what_is_too_deep_is_opaque() -> None:
    scanned = scan(nested(5), Limits(depth=2))
    assert read(scanned.body)[0][0][:2] == [b"APPLICATION", b"OCTET-STREAM"]


def test_work_grows_like_the_message() -> None:
    """Counted, not timed: how many octets `find` walks over, for twice the message."""

    class Counted(bytes):
        seen = 0

        def find(self, mark: Any, start: Any = 0, end: Any = None, /) -> int:
            found = super().find(mark, start, end)
            Counted.seen += (found if found >= 0 else end) - start
            return found

    def searched(content: bytes) -> int:
        Counted.seen = 0
        scan(Counted(content), Limits(parts=100_000))
        return Counted.seen

    once, twice = searched(parts_of(2_000)), searched(parts_of(4_000))
    assert once > 5_000
    assert twice <= 2 * once + 100
    long_text = b"y" * 100_000
    assert searched(nested(1_000, long_text)) <= 51 * len(nested(1_000, long_text))
