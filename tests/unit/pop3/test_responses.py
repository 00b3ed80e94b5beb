"""What POP3 says: lines, and messages as streams, however they are cut into pieces."""

import re

from hypothesis import example, given
from hypothesis import strategies as st

from mailhost.ids import Uid, UidValidity
from mailhost.message.newlines import CRLF
from mailhost.pop3 import responses
from mailhost.pop3.responses import MultiLine, Response, Top, listing, unique_id

octets = st.lists(st.sampled_from([b"\r", b"\n", b"\r\n", b".", b"..", b"a", b"bc", b"\r\n.\r\n", b"\0", b"\xff"])).map(
    b"".join
)


def normalised(content: bytes) -> bytes:
    """What a client is to get: every line ends with CRLF."""
    whole = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    return whole if not whole or whole.endswith(b"\r\n") else whole + b"\r\n"


def cut(content: bytes, data: st.DataObject) -> list[bytes]:
    places = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=6)))
    return [content[start:end] for start, end in zip([0, *places], [*places, len(content)], strict=True)]


def sent(pieces: list[bytes]) -> bytes:
    response = MultiLine()
    return b"".join([*map(response.take, pieces), bytes(response.end())])


def received(wire: bytes) -> bytes:
    """What a client of RFC 1939 section 3 makes of a multi-line response; fails when anything follows its end."""
    lines = wire.split(b"\r\n")
    end = lines.index(b".")
    assert lines[end + 1 :] == [b""]
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines[:end])


@given(octets, st.data())
@example(b".", None)
@example(b"a\r\n.\r\nb", None)
def test_a_client_gets_the_message_whatever_its_pieces_are(content: bytes, data: st.DataObject | None) -> None:
    pieces = [content[at : at + 1] for at in range(len(content))] if data is None else cut(content, data)
    assert received(sent(pieces)) == normalised(content)


def test_every_split_of_a_hostile_message_gives_the_same_octets() -> None:
    content = b".\r\n..\r\n\r\n.\r\r\n.\n.\r.a\r\n."
    whole = sent([content])
    for one in range(len(content) + 1):
        for two in range(one, len(content) + 1):
            assert sent([content[:one], content[one:two], content[two:]]) == whole


@given(octets, st.data())
def test_the_end_comes_in_one_piece_and_once(content: bytes, data: st.DataObject) -> None:
    response = MultiLine()
    before = b"".join(map(response.take, cut(content, data)))
    assert bytes(response.end()).endswith(b".\r\n")
    assert b"\r\n.\r\n" not in b"\r\n" + before


@given(octets)
def test_lines_that_end_with_crlf_stay_as_they_are(content: bytes) -> None:
    clean = normalised(content)
    lines = CRLF()
    assert lines.take(clean) + lines.end() == clean


@given(octets, st.integers(0, 5), st.data())
def test_top_is_the_header_and_so_many_lines(content: bytes, count: int, data: st.DataObject) -> None:
    top = Top(count)
    got = b"".join([*map(top.take, cut(content, data)), top.end()])
    header, blank, body = (b"\r\n" + normalised(content)).partition(b"\r\n\r\n")
    wanted = header + blank + b"".join(body.splitlines(keepends=True)[:count])
    assert b"\r\n" + got == wanted


def test_top_says_when_it_has_enough() -> None:
    top = Top(1)
    assert top.take(b"A: b\r\n\r\none\r\ntwo\r\n") == b"A: b\r\n\r\none\r\n"
    assert top.finished
    assert top.take(b"three\r\n") + top.end() == b""


@given(st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1), st.integers(1, 2**32 - 1))
def test_two_messages_never_share_a_unique_id(validity: int, uid: int, other_validity: int, other_uid: int) -> None:
    one, other = unique_id(UidValidity(validity), Uid(uid)), unique_id(UidValidity(other_validity), Uid(other_uid))
    assert (one == other) == ((validity, uid) == (other_validity, other_uid))
    assert re.fullmatch("[0-9a-f]{16}", one)


def test_a_unique_id_is_what_it_has_always_been() -> None:
    assert unique_id(UidValidity(1_795_300_000), Uid(258)) == "6b021aa000000102"


def test_a_long_listing_comes_in_pieces() -> None:
    pieces = list(listing(str(number) for number in range(2500)))
    assert len(pieces) == 3
    assert b"".join(pieces) == b"".join(b"%d\r\n" % number for number in range(2500))


def test_every_response_is_one_line_of_512_octets_at_most() -> None:
    named = [value for value in vars(responses).values() if isinstance(value, Response)]
    assert len(named) > 20
    for each in named:
        assert re.fullmatch(rb"(\+OK|-ERR)( \[[A-Z/-]+\])? [ -~]+\r\n", bytes(each))
        assert len(bytes(each)) <= 512  # RFC 1939 section 3
