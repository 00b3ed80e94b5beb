"""The surrogate of a message: plain mail, with everything in it that was in the message."""

import email
import email.policy
from email.message import Message
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message import unbinary
from mailhost.message.budget import Limits
from mailhost.message.form import Form
from mailhost.message.newlines import has_bare_newline
from mailhost.message.structure import scan
from mailhost.message.surrogate import pieces, surrogate
from mailhost.message.unbinary import LONGEST_LINE, look

BOTH = Form.UTF8 | Form.BINARY
BLOBS = st.one_of(
    st.binary(max_size=200),
    st.sampled_from(
        [b"", b"\0", b"\r", b"\n", b"a\rb\nc", b"\xff\xfe\0", b"line\r\nline\r\n", b"x" * 2_000, b"\r\n", b"\n\r\n"]
    ),
)
TEXTS = st.one_of(
    st.sampled_from([b"hello\r\n", b"one\ntwo\n", "你好\r\n".encode(), b"x" * 1_200 + b"\r\n", b"no end", b""]), BLOBS
)


def made(content: bytes, look_for: Form = BOTH, limits: Limits = Limits()) -> bytes:
    """The surrogate; the message itself where none is needed."""
    plan = surrogate(content, scan(content, limits).parts, look_for, limits)
    return content if plan is None else b"".join(pieces(content, plan))


def requires(content: bytes, look_for: Form = BOTH) -> Form:
    plan = surrogate(content, scan(content).parts, look_for)
    return Form.PLAIN if plan is None else plan.requires


@st.composite
def leaf(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    main = draw(st.sampled_from([b"", b"text/plain", b"image/png", b"application/octet-stream"]))
    body = draw(TEXTS if main in (b"", b"text/plain") else BLOBS)
    head = b"Content-Type: " + main + b"\r\n" if main else b""
    encoding = draw(st.sampled_from([b"", b"binary", b"Binary (all of it)", b"8bit", b"7bit"]))
    if encoding:
        head += b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    if draw(st.booleans()):
        head += "Content-Description: 文件\r\n".encode()
    if not head and not body.startswith((b"\r\n", b"\n")):
        head = b"X: y\r\n"
    return head + b"\r\n" + body, [body]


@st.composite
def multipart(draw: st.DrawFn, inner: st.SearchStrategy[tuple[bytes, list[bytes]]]) -> tuple[bytes, list[bytes]]:
    boundary = b"=_%d" % draw(st.integers(1_000, 9_999_999))
    children = draw(
        st.lists(inner, min_size=1, max_size=3).filter(lambda found: all(boundary not in each for each, _ in found))
    )
    label = draw(st.sampled_from([b"", b"Content-Transfer-Encoding: binary\r\n"]))
    head = b'Content-Type: multipart/mixed; boundary="%b"\r\n%b\r\n' % (boundary, label)
    around = draw(st.sampled_from([b"", b"preamble\r\n", b"pre\0amble\r\n"]))
    body = b"".join(b"--%b\r\n%b\r\n" % (boundary, each) for each, _ in children)
    end = draw(st.sampled_from([b"--%b--\r\n", b"--%b--\r\nepilogue\r\n"])) % boundary
    return head + around + body + end, [one for _, leaves in children for one in leaves]


ENTITIES = st.recursive(leaf(), multipart, max_leaves=6)


@given(ENTITIES)
def test_every_leaf_decodes_to_what_it_was_and_all_of_it_is_plain_mail(given: tuple[bytes, list[bytes]]) -> None:
    entity, leaves = given
    content = "From: 张 <a@b.example>\r\n".encode() + entity
    done = made(content)
    assert not has_bare_newline(done)
    assert b"\0" not in done
    message = email.message_from_bytes(done, policy=email.policy.SMTP)
    found = [part for part in message.walk() if not part.is_multipart()]
    assert [_payload(part) for part in found] == leaves
    assert b"binary" not in b"".join(_encodings(message)).lower()
    for part in message.walk():
        assert all(name.isascii() and str(value).isascii() for name, value in part.raw_items())
    assert requires(done) == Form.PLAIN


def _payload(part: Message) -> bytes:
    payload = part.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload


def _encodings(message: Message) -> list[bytes]:
    return [str(part.get("content-transfer-encoding", "")).encode() for part in message.walk()]


@given(st.binary(max_size=400), st.integers(1, 5))
def test_whatever_comes_in_has_a_surrogate_that_needs_none(noise: bytes, parts: int) -> None:
    for content in (
        noise,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n" + noise + b"\r\n--b\r\n\r\nx\r\n--b--\r\n",
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n" + noise,
    ):
        done = made(content, limits=Limits(parts=parts))
        assert not has_bare_newline(done)
        assert b"\0" not in done


def test_a_text_that_is_mail_already_only_gets_another_label() -> None:
    content = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: BINARY\r\n\r\n%b\r\n"
    assert made(content % b"hello") == content.replace(b"BINARY", b"7bit") % b"hello"
    assert made(content % "é".encode()) == content.replace(b"BINARY", b"8bit") % "é".encode()
    assert b"base64" in made(content % (b"x" * (LONGEST_LINE + 1)))
    assert b"base64" not in made(content % (b"x" * LONGEST_LINE))


def test_containers_say_what_is_left_in_them() -> None:
    content = (
        b"Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\n"
        b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n"
        b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\xff\r\n--b\r\n%b\r\n%b\r\n--b--\r\n"
    )
    message = email.message_from_bytes(made(content % (b"", b"plain")))
    assert [each["content-transfer-encoding"] for each in message.walk()] == ["7bit", "7bit", "base64", None]
    message = email.message_from_bytes(made(content % (b"", "é".encode())))
    assert [each["content-transfer-encoding"] for each in message.walk()] == ["8bit", "7bit", "base64", None]


def test_a_type_that_must_not_be_base64_is_called_octets() -> None:
    content = b"Content-Type: message/partial; id=x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\r\n"
    done = email.message_from_bytes(made(content))
    assert done.get_content_type() == "application/octet-stream"
    assert done.get_payload(decode=True) == b"\0\r\n"


def test_content_without_a_header_gets_one() -> None:
    done = made(b" \0\r\n")
    assert done.startswith(b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n")
    assert email.message_from_bytes(done).get_payload(decode=True) == b" \0\r\n"


def test_what_is_encoded_already_is_cleaned_and_not_encoded_again() -> None:
    quoted = made(b"Content-Transfer-Encoding: quoted-printable\r\n\r\na\0b\rc\nd\r\n")
    assert quoted.endswith(b"\r\n\r\na=00b=0Dc\r\nd\r\n")
    coded = made(b"Content-Transfer-Encoding: base64\r\n\r\nYWJj\nZGVm\n")
    assert coded.endswith(b"\r\n\r\nYWJj\r\nZGVm\r\n")


@pytest.mark.parametrize(
    ("content", "look_for", "wanted"),
    [
        ("Subject: é\r\n\r\nx\r\n", BOTH, Form.UTF8),
        ("Subject: é\r\n\r\nx\r\n", Form.BINARY, Form.PLAIN),
        ("Subject: e\r\n\r\né\r\n", BOTH, Form.PLAIN),
        ("Content-Type: message/rfc822\r\n\r\nSubject: é\r\n\r\nx\r\n", BOTH, Form.UTF8),
        ("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX: é\r\n\r\nx\r\n--b--\r\n", BOTH, Form.UTF8),
        ("Subject: e\r\n\r\n\0\r\n", BOTH, Form.BINARY),
        ("Subject: e\r\n\r\n\0\r\n", Form.UTF8, Form.PLAIN),
        ("Subject: e\0\r\n\r\nx\r\n", BOTH, Form.BINARY),
        ("Subject: é\r\n\r\na\rb\r\n", BOTH, BOTH),
    ],
)
def test_it_is_made_where_it_is_needed_only(content: str, look_for: Form, wanted: Form) -> None:
    assert requires(content.encode(), look_for) == wanted


def test_an_embedded_message_is_downgraded_too() -> None:
    content = "Subject: outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: é\r\n\r\né\r\n".encode()
    assert made(content, Form.UTF8) == (
        b"Subject: outer\r\nContent-Type: message/rfc822\r\n\r\nSubject: =?UTF-8?B?w6k=?=\r\n\r\n\xc3\xa9\r\n"
    )


def test_of_a_header_that_is_too_large_the_rest_is_ascii_by_force() -> None:
    content = b"".join("X: é{}\r\n".format("y" * 40).encode() for _ in range(100)) + b"\r\nx\r\n"
    done = made(content, limits=Limits(header_octets=1_000))
    assert done.partition(b"\r\n\r\n")[0].isascii()
    assert (done.count(b"=?UTF-8?") > 5, done.count(b"X: ??y") > 50) == (True, True)


def test_large_content_is_looked_at_in_pieces_without_tearing_line_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    for size, piece in product(range(1, 30), range(1, 9)):
        monkeypatch.setattr(unbinary, "PIECE_OCTETS", piece)
        octets = (b"12345\r\n" * 5)[:size].removesuffix(b"\r") + b"\r\n"
        assert look(octets, 0, len(octets)) == unbinary.Look(True, True, False)
        assert b"".join(unbinary.written(octets, 0, len(octets), unbinary.How.TEXT)) == octets
        assert not look(octets + b"a\rb", 0, len(octets) + 3).is_clean
    monkeypatch.setattr(unbinary, "PIECE_OCTETS", 1_500)
    for before in range(0, 4_000, 97):
        octets = b"y\r\n" * before + b"x" * (LONGEST_LINE + 1) + b"\r\n"
        assert look(octets, 0, len(octets)).has_long_lines
        octets = b"y\r\n" * before + b"x" * LONGEST_LINE + b"\r\n" + b"z\r\n" * 600
        assert not look(octets, 0, len(octets)).has_long_lines


def test_base64_has_lines_of_76_also_across_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unbinary, "BASE64_PIECE", 57 * 2)
    body = b"\0" * 1_000
    done = made(b"Content-Type: image/png\r\nContent-Transfer-Encoding: binary\r\n\r\n" + body)
    lines = done.partition(b"\r\n\r\n")[2].split(b"\r\n")
    assert {len(line) for line in lines[:-2]} == {76}
    assert lines[-1] == b""
    assert email.message_from_bytes(done).get_payload(decode=True) == body
