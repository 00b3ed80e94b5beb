"""What a client reads in ENVELOPE and BODYSTRUCTURE, on messages that can be checked by eye."""

from collections.abc import Callable

import pytest

from mailhost.message.parts import Part, message, part
from mailhost.message.structure import scan
from tests.unit.message.imap_reader import read


def crlf(text: str) -> bytes:
    return text.encode().replace(b"\n", b"\r\n")


RFC_3501_ENVELOPE = crlf("""\
Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)
From: Terry Gray <gray@cac.washington.edu>
Subject: IMAP4rev1 WG mtg summary and minutes
To: imap@cac.washington.edu
cc: minutes@CNRI.Reston.VA.US, John Klensin <KLENSIN@MIT.EDU>
Message-Id: <B27397-0100000@cac.washington.edu>
MIME-Version: 1.0
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

""")


def test_the_example_of_rfc_3501_section_8() -> None:
    scanned = scan(RFC_3501_ENVELOPE + b"0123456789abcd\r\n" * 92)
    gray = b'(("Terry Gray" NIL "gray" "cac.washington.edu"))'
    assert scanned.envelope == (
        b'("Wed, 17 Jul 1996 02:23:25 -0700 (PDT)" "IMAP4rev1 WG mtg summary and minutes" ' + gray + b" " + gray + b" "
        + gray + b' ((NIL NIL "imap" "cac.washington.edu")) ((NIL NIL "minutes" "CNRI.Reston.VA.US")'
        b'("John Klensin" NIL "KLENSIN" "MIT.EDU")) NIL NIL "<B27397-0100000@cac.washington.edu>")'
    )  # fmt: skip
    assert scanned.body == b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 1472 92)'
    assert scanned.sent_date == 837595405000
    assert scanned.message_id == b"<B27397-0100000@cac.washington.edu>"


TWO_PARTS = crlf("""\
Content-Type: multipart/mixed; boundary=cut

--cut
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII

one line
--cut
Content-Type: TEXT/PLAIN; CHARSET=US-ASCII; NAME="cc.diff"
Content-ID: <960723163407.20117h@cac.washington.edu>
Content-Description: Compiler diff
Content-Transfer-Encoding: base64

QQ==
--cut--
""")


def test_the_two_parts_of_rfc_3501_section_7_4_2() -> None:
    scanned = scan(TWO_PARTS)
    assert scanned.body == (
        b'(("TEXT" "PLAIN" ("CHARSET" "US-ASCII") NIL NIL "7BIT" 8 0)'
        b'("TEXT" "PLAIN" ("CHARSET" "US-ASCII" "NAME" "cc.diff") "<960723163407.20117h@cac.washington.edu>" '
        b'"Compiler diff" "BASE64" 4 0) "MIXED")'
    )


NUMBERED = crlf("""\
Content-Type: multipart/mixed; boundary=m

--m

1
--m
Content-Type: application/octet-stream

2
--m
Content-Type: message/rfc822

Subject: three
Content-Type: multipart/mixed; boundary=n

--n

3.1
--n
Content-Type: application/octet-stream

3.2
--n--
--m
Content-Type: multipart/mixed; boundary=o

--o
Content-Type: image/gif

4.1
--o
Content-Type: message/rfc822

Subject: four point two
Content-Type: multipart/mixed; boundary=p

--p

4.2.1
--p
Content-Type: multipart/alternative; boundary=q

--q

4.2.2.1
--q
Content-Type: text/richtext

4.2.2.2
--q--
--p--
--o--
--m--
""")
"""The message of RFC 3501 section 6.4.5; each part's body is its number."""


def section(number: str) -> tuple[int, ...]:
    return tuple(map(int, number.split(".")))


@pytest.mark.parametrize("number", ["1", "2", "3.1", "3.2", "4.1", "4.2.1", "4.2.2.1", "4.2.2.2"])
def test_sections_are_numbered_as_in_rfc_3501_section_6_4_5(number: str) -> None:
    found = part(scan(NUMBERED).parts, section(number))
    assert found is not None
    assert NUMBERED[found.body_start : found.end] == number.encode()


@pytest.mark.parametrize("number", ["0", "5", "1.1", "2.1", "3.3", "3.0", "4.2.3", "4.2.2.3", "4.1.1"])
def test_other_sections_are_missing(number: str) -> None:
    assert part(scan(NUMBERED).parts, section(number)) is None
    assert message(scan(NUMBERED).parts, section(number)) is None


def test_a_message_in_a_message_has_a_header_and_a_text() -> None:
    inner = message(scan(NUMBERED).parts, (4, 2))
    assert inner is not None
    assert NUMBERED[inner.header_start : inner.body_start].startswith(b"Subject: four point two\r\n")
    assert NUMBERED[inner.header_start : inner.body_start].endswith(b"boundary=p\r\n\r\n")
    assert NUMBERED[inner.body_start : inner.end].endswith(b"--p--")
    assert message(scan(NUMBERED).parts, (4,)) is None


def test_a_message_without_parts_is_its_own_part_1() -> None:
    content = b"Subject: x\r\n\r\nbody"
    parts = scan(content).parts
    assert part(parts, (1,)) == message(parts, ()) == Part(0, 14, 18, is_message=False)
    assert part(parts, (1, 1)) is None


def test_a_message_that_is_a_message() -> None:
    content = b"Content-Type: message/rfc822\n\nSubject: inner\n\nbody"
    parts = scan(content).parts
    assert part(parts, (1,)) == Part(0, 30, 50, is_message=True)
    assert part(parts, (1, 1)) == message(parts, (1,)) == Part(30, 46, 50, is_message=False)
    assert read(scan(content).body)[7][1] == b"inner"


def test_an_unlabelled_part_of_a_digest_is_a_message() -> None:
    content = b"Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: in\n\nx\n--b\nContent-Type: text/plain\n\n--b--\n"
    first, second, subtype = read(scan(content).body)
    assert first[:2] == [b"MESSAGE", b"RFC822"]
    assert first[7][1] == b"in"
    assert second[:2] == [b"TEXT", b"PLAIN"]
    assert subtype == b"DIGEST"


def test_all_extension_fields() -> None:
    content = crlf("""\
Content-Type: image/png; name="a b.png"
Content-Transfer-Encoding: Base64
Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==
Content-Disposition: attachment; filename*0*=utf-8''%E4%BD;
 filename*1*=%A0
Content-Language: de, (the Queen's) en-GB
Content-Location: http://example.org/a.png

AAAA""")
    assert scan(content).body_structure == (
        b'("IMAGE" "PNG" ("NAME" "a b.png") NIL NIL "BASE64" 4 "Q2hlY2sgSW50ZWdyaXR5IQ==" ("ATTACHMENT" '
        b'("FILENAME*0*" "utf-8\'\'%E4%BD" "FILENAME*1*" "%A0")) ("de" "en-GB") "http://example.org/a.png")'
    )


def test_eight_bits_go_as_a_literal_unfolded_and_without_nul() -> None:
    subject = "你好".encode("gb18030")
    scanned = scan(b"Subject: " + subject + b"\r\n \0" + subject + b"\r\nFrom: " + subject + b" <a@b>\r\n\r\n")
    envelope = read(scanned.envelope)
    assert envelope[1] == subject + b" " + subject
    assert envelope[2] == [[subject, None, b"a", b"b"]]
    assert b"{9}\r\n" in scanned.envelope


def test_a_long_string_goes_as_a_literal() -> None:
    assert b"{1001}\r\n" + b"x" * 1001 in scan(b"Subject: " + b"x" * 1001 + b"\n\n").envelope


@pytest.mark.parametrize(
    ("content", "header_octets", "begins_with_field"),
    [
        (b"", 0, False),
        (b"no header at all\r\n\r\nmore", 0, False),
        (b" begins: with a space\r\n\r\n", 0, False),
        (b"From mbox Sat Nov 21\nSubject: x\n\n", 0, False),
        (b"\r\nbody", 2, False),
        (b"\nbody", 1, False),
        (b"A: b", 4, True),
        (b"A: b\r\n\r\nbody", 8, True),
        (b"A : b\n\nbody", 7, True),
        (b"A: b\ngarbage\nC: d\n\nbody", 19, True),
    ],
)
def test_where_the_header_ends(content: bytes, header_octets: int, begins_with_field: bool) -> None:
    scanned = scan(content)
    assert (scanned.header_octets, scanned.begins_with_field) == (header_octets, begins_with_field)
    assert read(scanned.body)[6] == len(content) - header_octets


def test_absent_and_empty_fields_differ() -> None:
    assert read(scan(b"Subject:\r\nDate: \r\nTo:\r\nFrom: \r\n\r\n").envelope) == [b"", b"", *[None] * 8]
    assert read(scan(b"").envelope) == [None] * 10


def test_sender_and_reply_to_default_to_from() -> None:
    envelope = read(scan(b"From: a@b\nSender:\nReply-To: c@d\n\n").envelope)
    assert envelope[2] == envelope[3] == [[None, None, b"a", b"b"]]
    assert envelope[4] == [[None, None, b"c", b"d"]]


def test_the_header_cache_holds_fields_as_they_came() -> None:
    content = b"Received: x\r\nSUBJECT : a\r\n b\r\nX-Other: y\r\nto: c@d\r\nTo: e@f\r\nList-Id: <l>\r\n\r\nFrom: in the body\r\n"
    assert scan(content).header_cache == b"SUBJECT : a\r\n b\r\nto: c@d\r\nTo: e@f\r\nList-Id: <l>\r\n"


def kinds(content: bytes) -> list[bytes]:
    *children, _ = read(scan(content).body)
    return [child[1] for child in children]


BROKEN = "Content-Type: multipart/mixed; boundary=b\n\n"


@pytest.mark.parametrize(
    "content",
    [
        b"Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n",
        b"Content-Type: multipart/mixed; boundary=\n\n--\n\nx\n----\n",
        BROKEN.encode(),
        BROKEN.encode() + b"no delimiter\n",
        BROKEN.encode() + b"--b--\n",
        BROKEN.encode() + b"--bb\n\nx\n",
        BROKEN.encode() + b"x--b\n\nx\n",
    ],
)
def test_a_multipart_without_parts_is_text(content: bytes) -> None:
    assert read(scan(content).body)[:3] == [b"TEXT", b"PLAIN", [b"CHARSET", b"us-ascii"]]


HTML = "Content-Type: text/html\n\n"


@pytest.mark.parametrize(
    ("content", "bodies"),
    [
        (BROKEN + "--b\n\none\n--b\n\ntwo", ["one", "two"]),
        (BROKEN + "--b\n\none\n--b", ["one", ""]),
        (BROKEN + "--b \t\n\none\n--b-- \nepilogue\n--b\n\nnot a part\n", ["one"]),
        (BROKEN + "--b\n\n--b\n\n\n--b--", ["", ""]),
        (BROKEN + "preamble\n--b\nno header\n--b--\n", ["no header"]),
        (BROKEN.replace("\n", "\r\n") + "--b\n\none\r\n--b\r\n\r\ntwo\n\r\n--b--", ["one", "two\n"]),
        (BROKEN + "--b\n\none\n--b-\n--bb\n--b--b\n--b--\n", ["one\n--b-\n--bb\n--b--b"]),
        ('Content-Type: multipart/mixed; boundary="b (c) "\n\n--b (c)\n\none\n--b (c)--\n', ["one"]),
        ("Content-Type: multipart/mixed; boundary*0=c; boundary*1=d\n\n--cd\n\none\n--cd--\n", ["one"]),
        ("Content-Type: multipart/mixed (c); (;) boundary (=) = b\n\n--b\n\none\n--b--\n", ["one"]),
    ],
)
def test_delimiters(content: str, bodies: list[str]) -> None:
    octets = content.encode()
    parts = scan(octets).parts
    found = [part(parts, (number,)) for number in range(1, len(bodies) + 2)]
    assert [octets[each.body_start : each.end].decode() for each in found if each] == bodies


def inner(boundary: str) -> Callable[[str], bytes]:
    head = f"Content-Type: multipart/alternative; boundary={boundary}\n\n--{boundary}\n{HTML}x\n"
    return lambda rest: (BROKEN + "--b\n" + head + rest).encode()


def test_a_boundary_may_begin_like_the_one_around_it() -> None:
    assert kinds(inner("bb")("--bb--\n--b\n\ny\n--b--\n")) == [b"ALTERNATIVE", b"PLAIN"]


def test_an_outer_delimiter_ends_an_inner_multipart() -> None:
    assert kinds(inner("c")("--b\n\ny\n--b--\n--c--\n")) == [b"ALTERNATIVE", b"PLAIN"]


def test_with_the_same_boundary_the_outer_multipart_wins() -> None:
    assert kinds(inner("b")("--b--\n--b--\n")) == [b"PLAIN", b"HTML"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"a@b", [[None, None, b"a", b"b"]]),
        (b'"A \\"B\\"" <a@b>', [[b'A "B"', None, b"a", b"b"]]),
        (b"a@b (A (the) B)", [[b"A (the) B", None, b"a", b"b"]]),
        (b'"a b"@c', [[None, None, b"a b", b"c"]]),
        (b"<@x,@y:a@b>", [[None, b"@x,@y", b"a", b"b"]]),
        (b"J. Smith <a@[192.0.2.1]>", [[b"J. Smith", None, b"a", b"[192.0.2.1]"]]),
        (b"a . b @ c . d", [[None, None, b"a.b", b"c.d"]]),
        (b"john@x.org <j@x.org>", [[b"john@x.org", None, b"j", b"x.org"]]),
        (b"undisclosed-recipients:;", [[None, None, b"undisclosed-recipients", None], [None] * 4]),
        (b"G: a@b, C <c@d>;, e@f", [
            [None, None, b"G", None], [None, None, b"a", b"b"], [b"C", None, b"c", b"d"], [None] * 4, [None, None, b"e", b"f"],
        ]),
        (b"G: a@b", [[None, None, b"G", None], [None, None, b"a", b"b"], [None] * 4]),
        (b"root", [[None, None, b"root", b""]]),
        (b", ,", None),
        (b"A <>", [[b"A", None, b"", b""]]),
        (b"A <a@b", [[b"A", None, b"a", b"b"]]),
        (b"a <b@c>, <d@e", [[b"a", None, b"b", b"c"], [None, None, b"d", b"e"]]),
    ],
)  # fmt: skip
def test_addresses(value: bytes, expected: object) -> None:
    assert read(scan(b"To: " + value + b"\n\n").envelope)[5] == expected
