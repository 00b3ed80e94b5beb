"""Mail for hosts that take ASCII alone: Python's `email` reads back what was there (RFC 6152 section 3)."""

import email
import email.policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.form import Form
from mailhost.message.structure import scan
from mailhost.message.surrogate import pieces, surrogate


def in_seven_bits(content: bytes, look_for: Form = Form.EIGHTBIT) -> bytes:
    plan = surrogate(content, scan(content).parts, look_for)
    return b"".join(pieces(content, plan)) if plan else content


def read(content: bytes) -> Any:
    return email.message_from_bytes(content, policy=email.policy.default)


letters = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]) | st.sampled_from("é=. \t"))
texts = st.lists(letters, max_size=6).map(lambda lines: "".join(f"{line}\r\n" for line in lines))


@given(texts)
def test_text_comes_back_from_quoted_printable(text: str) -> None:
    head = b"Content-Type: text/plain; charset=utf-8\r\nMIME-Version: 1.0\r\n\r\n"
    converted = in_seven_bits(head + text.encode())
    assert converted.isascii()
    assert max(map(len, converted.split(b"\r\n"))) <= 76 or text.isascii()
    assert converted.count(b"\n") == converted.count(b"\r\n") == converted.count(b"\r")
    assert read(converted).get_payload(decode=True) == text.encode()


@given(st.binary(max_size=300).map(lambda octets: octets.replace(b"\r", b"").replace(b"\n", b"").replace(b"\0", b"")))
def test_other_octets_come_back_from_base64(octets: bytes) -> None:
    head = b"Content-Type: application/x-y\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    converted = in_seven_bits(head + octets)
    assert converted.isascii()
    assert read(converted).get_payload(decode=True) == octets


@pytest.mark.parametrize("length", [65_535, 65_536, 65_537, 200_000])
@pytest.mark.parametrize("every", [10, 70_000, 500_000])
def test_large_texts_however_their_lines_lie(length: int, every: int) -> None:
    text = "".join("é" if at % every else "\r\n" for at in range(1, length))
    head = b"Content-Type: text/plain; charset=utf-8\r\n\r\n"
    converted = in_seven_bits(head + text.encode())
    assert max(map(len, converted.split(b"\r\n"))) <= 76
    assert read(converted).get_payload(decode=True) == text.encode()


@pytest.mark.parametrize(
    ("octets", "charset"), [("文字\r\n".encode(), "utf-8"), ("文字\r\n".encode("gb18030"), "unknown-8bit")]
)
@pytest.mark.parametrize("head", [b"", b"Subject: x\r\n\r\n"])
def test_text_that_says_nothing_of_itself_gets_a_label(octets: bytes, charset: str, head: bytes) -> None:
    """Also where there is no header at all: it gets one."""
    one = read(in_seven_bits(head + octets))
    assert (one.get_content_type(), one.get_param("charset")) == ("text/plain", charset)
    assert one["MIME-Version"] == "1.0"
    assert one.get_payload(decode=True) == octets


def test_each_part_is_treated_by_its_own_kind() -> None:
    message = EmailMessage(policy=email.policy.SMTP.clone(cte_type="8bit", utf8=False))
    message["Subject"] = "größe"
    message.set_content("grüße\n", cte="8bit")
    message.add_attachment("grün\n", subtype="html", cte="8bit")
    message.add_attachment(b"\x00\xff", maintype="image", subtype="png")
    whole = message.as_bytes().replace(b"multipart/mixed;", b"multipart/mixed;\r\n x=y;", 1)
    assert not whole.isascii()
    converted = in_seven_bits(whole)
    assert converted.isascii()
    one = read(converted)
    kinds = [(part.get_content_type(), part["Content-Transfer-Encoding"]) for part in one.iter_parts()]
    assert kinds == [("text/plain", "quoted-printable"), ("text/html", "quoted-printable"), ("image/png", "base64")]
    assert one["Subject"] == "größe"
    assert [part.get_payload(decode=True) for part in one.iter_parts()] == [
        "grüße\r\n".encode(),
        "grün\r\n".encode(),
        b"\x00\xff",
    ]


def test_containers_do_not_call_themselves_8bit_any_more() -> None:
    inner = "Subject: ä\r\nContent-Transfer-Encoding: 8bit\r\n\r\nö\r\n"
    whole = (
        "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: 8bit\r\n\r\npreämble\r\n--b\r\n"
        f"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{inner}\r\n--b--\r\n"
    )
    converted = in_seven_bits(whole.encode())
    assert converted.isascii()
    assert b"8bit" not in converted.replace(b"unknown-8bit", b"")
    (part,) = read(converted).iter_parts()
    assert part.get_content().get_payload(decode=True) == "ö\r\n".encode()


def test_plain_mail_stays_as_it_is() -> None:
    content = b"Subject: x\r\n\r\nplain\r\n"
    assert surrogate(content, scan(content).parts, Form.EIGHTBIT) is None


def test_binary_and_eight_bits_together() -> None:
    whole = (
        b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: binary\r\n\r\n\xc3\xa9\r\n\r\n--b\r\n"
        b"Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n\0\n\r\xff\r\n--b--\r\n"
    )
    converted = in_seven_bits(whole, Form.BINARY | Form.EIGHTBIT)
    assert converted.isascii()
    assert b"binary" not in converted
    text, image = read(converted).iter_parts()
    assert text.get_payload(decode=True) == b"\xc3\xa9\r\n"
    assert image.get_payload(decode=True) == b"\0\n\r\xff"


@given(st.lists(st.sampled_from([b"\r\n", b"--b", b"--b--", b"Content-Type: ", b"multipart/mixed; boundary=b", b"text/x",
    b"Content-Transfer-Encoding: ", b"8bit", b"binary", b"base64", b"\xe9", b"\xc3\xa9", b"\0", b"\n", b":", b"message/rfc822"]), max_size=30))  # fmt: skip
def test_whatever_it_is_no_octet_beyond_ascii_is_left(some: list[bytes]) -> None:
    assert in_seven_bits(b"".join(some)).isascii()
    assert in_seven_bits(b"".join(some), Form.EIGHTBIT | Form.BINARY).isascii()
