"""Line ends: what POP3 sends, and the size that it tells before."""

from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.newlines import CRLF, CRLFSize, has_bare_newline

TEXTS = st.text("a\r\n", max_size=40).map(str.encode)


@given(st.lists(TEXTS))
def test_the_size_is_that_of_what_is_sent_however_it_is_cut(pieces: list[bytes]) -> None:
    rewritten, size = CRLF(), CRLFSize()
    sent = b"".join(rewritten.take(piece) for piece in pieces) + rewritten.end()
    for piece in pieces:
        size.take(piece)
    assert size.end() == len(sent)
    assert not has_bare_newline(sent)


@given(TEXTS)
def test_lines_that_end_with_crlf_stay_as_they_are(text: bytes) -> None:
    lines = text.replace(b"\r", b"").replace(b"\n", b"\r\n")
    content = lines if not lines or lines.endswith(b"\r\n") else lines + b"\r\n"
    rewritten = CRLF()
    assert rewritten.take(content) + rewritten.end() == content
