"""Replies and contents octet by octet, over all inputs."""

import asyncio
import re

from hypothesis import given
from hypothesis import strategies as st

from mailhost.smtp.client.heard import MOST_LINES, Heard, NotSMTP, hear
from mailhost.smtp.client.outgoing import Dots
from mailhost.smtp.client.parameters import xtext
from mailhost.smtp.grammar import decoded_utf8_address, decoded_xtext
from mailhost.transport.channel import EndOfInput
from mailhost.transport.memory import MemoryWire

pieces = st.lists(st.text("ab.\r\n", max_size=8).map(str.encode), max_size=8)


def sent(some: list[bytes]) -> bytes:
    dots = Dots()
    return b"".join([*(dots.feed(piece) for piece in some), dots.end()])


def received(wire: bytes) -> tuple[bytes, bytes]:
    """As RFC 5321 section 4.5.2 reads it: the content, and what comes behind its end."""
    if wire.startswith(b".\r\n"):
        return b"", wire[3:]
    end = wire.index(b"\r\n.\r\n") + 2
    return re.sub(rb"(?m)^\.", b"", wire[:end].replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n"), wire[end + 3 :]


@given(pieces)
def test_the_content_arrives_as_lines_whatever_its_pieces(some: list[bytes]) -> None:
    whole = b"".join(some)
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", whole)
    if lines and not lines.endswith(b"\r\n"):
        lines += b"\r\n"
    assert received(sent(some)) == (lines, b"")


@given(pieces)
def test_only_crlf_leaves_and_only_the_end_ends(some: list[bytes]) -> None:
    """Whatever a reader takes for a line's end, there is no second message (outbound smuggling)."""
    wire = sent(some)
    assert wire.count(b"\r") == wire.count(b"\n") == wire.count(b"\r\n")
    assert wire.count(b"\r\n.\r\n") + wire.startswith(b".\r\n") == 1


@given(st.lists(st.binary(max_size=12), max_size=6))
def test_any_octets_are_a_reply_or_none(some: list[bytes]) -> None:
    async def run() -> Heard | None:
        wire = MemoryWire("relay")
        for piece in some:
            wire.client_says(piece)
        wire.client_ends()
        try:
            return await hear(wire.channel, 5)
        except (NotSMTP, EndOfInput):
            return None

    heard = asyncio.run(run())
    if heard is not None:
        assert 200 <= heard.code < 600
        assert str(heard).isprintable()


texts = st.text(st.characters(codec="latin-1", exclude_categories=["Cc", "Zl", "Zp", "Zs"]), max_size=20).filter(
    str.isprintable
)


@given(
    st.integers(200, 559), st.lists(texts, min_size=1, max_size=MOST_LINES), st.lists(st.integers(1, 40), min_size=1)
)
def test_a_reply_reads_back_however_it_is_cut(code: int, lines: list[str], cuts: list[int]) -> None:
    written = [f"{code}{' ' if at == len(lines) - 1 else '-'}{line}\r\n" for at, line in enumerate(lines)]
    octets = "".join(written).encode()

    async def run() -> Heard:
        wire = MemoryWire("relay")
        hearing = asyncio.ensure_future(hear(wire.channel, 5))
        at, turn = 0, 0
        while at < len(octets):
            cut = cuts[turn % len(cuts)]
            wire.client_says(octets[at : at + cut])
            at, turn = at + cut, turn + 1
            await asyncio.sleep(0)
        return await hearing

    heard = asyncio.run(run())
    assert (heard.code, len(heard.lines)) == (code, len(lines))
    assert heard.lines[0] in (lines[0], "")


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_xtext_reads_back(text: str) -> None:
    written = xtext(text)
    assert written.isascii()
    assert " " not in written
    if text and text.isascii() and text.isprintable():
        assert decoded_xtext(written) == text


def test_utf8_addresses_read_back() -> None:
    from mailhost.smtp.client.hello import Abilities
    from mailhost.smtp.client.outgoing import To
    from mailhost.smtp.client.parameters import rcpt

    for utf8 in (False, True):
        said = rcpt(To("x@y.test", None, "utf-8;用\\户+=@例.test"), Abilities({"DSN": ""}), utf8=utf8)
        assert said.isascii() is not utf8
        assert decoded_utf8_address(said.partition("ORCPT=utf-8;")[2]) == "用\\户+=@例.test"


def test_the_status_is_made_of_the_code_where_there_is_none() -> None:
    assert [Heard(code, "", ()).status for code in (250, 354, 450, 550)] == ["2.0.0", "4.5.0", "4.0.0", "5.0.0"]
    assert not Heard(354, "", ()).is_good


def test_an_enhanced_code_of_another_class_is_text() -> None:
    async def run() -> Heard:
        wire = MemoryWire("relay")
        wire.client_says(b"450 5.1.1 what\r\n")
        return await hear(wire.channel, 5)

    heard = asyncio.run(run())
    assert (heard.enhanced, heard.lines) == ("", ("5.1.1 what",))
