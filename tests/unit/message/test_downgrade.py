"""A header in UTF-8, downgraded: pure ASCII whatever came in, and the same to whoever decodes it (RFC 6857)."""

import email
import email.policy
import time
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.downgrade import downgraded
from mailhost.message.headers import field_value, fields

NAMES = st.sampled_from(
    b"From To Cc Reply-To Subject X-Other Comments Keywords Received Message-ID References Date Content-Type"
    b" Content-Disposition Content-ID Return-Path Delivered-To List-Id MIME-Version DKIM-Signature".split()
)
PERSON = st.text("abcXYZ é张三文件🙂", min_size=1, max_size=20).map(lambda text: " ".join(text.split())).filter(bool)
FILE = st.text("abcXYZ019 -_.é张三文件🙂'%*;\"\\()", min_size=1, max_size=60).filter(lambda text: text == text.strip())


def parsed(block: bytes) -> EmailMessage:
    message = email.message_from_bytes(block, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def one(field: str) -> bytes:
    return downgraded(field.encode() + b"\r\n")


@st.composite
def anything(draw: st.DrawFn) -> bytes:
    """Fields of every kind with whatever in them, and lines that are none."""
    marks = st.sampled_from(
        [b'"', b"(", b")", b"<", b">", b",", b";", b":", b"@", b"=", b"*", b"\\", b" ", b"\r\n ", b"\n\t", b"\0"]
    )
    words = st.one_of(
        marks, st.text(max_size=8).map(lambda text: text.encode("utf-8", "replace")), st.binary(max_size=6)
    )
    values = st.lists(words, max_size=12).map(b"".join)
    lines = st.one_of(st.tuples(NAMES, values).map(lambda pair: pair[0] + b": " + pair[1]), values)
    return b"\r\n".join(draw(st.lists(lines, max_size=6))) + draw(st.sampled_from([b"", b"\r\n", b"\r\n\r\n"]))


@given(anything())
def test_whatever_comes_in_what_goes_out_is_ascii_and_has_no_field_more(block: bytes) -> None:
    done = downgraded(block)
    assert done.isascii()
    names = [name.lower().removeprefix(b"downgraded-") for name, _ in fields(done)]
    assert names == [name.lower() for name, _ in fields(block)]
    parsed(done)


@given(st.lists(st.tuples(PERSON, st.sampled_from(["a@b.example", "x.y@例子.cn"])), min_size=1, max_size=6))
def test_display_names_stay_what_they_were(people: list[tuple[str, str]]) -> None:
    field = "To: " + ", ".join(f'"{name}" <{address}>' for name, address in people)
    done = one(field)
    assert done.isascii()
    field = str(email.message_from_bytes(done, policy=email.policy.compat32)["to"]).replace("\r\n", "")
    found = getaddresses([field])
    assert [str(make_header(decode_header(name))) for name, _ in found] == [name for name, _ in people]
    assert [spec for _, spec in found] == [address.replace("例子.cn", "xn--fsqu00a.cn") for _, address in people]


@given(FILE.filter(lambda name: not name.isascii()))
def test_a_file_keeps_its_name(name: str) -> None:
    quoted = name.replace("\\", "\\\\").replace('"', '\\"')
    done = downgraded(
        f'Content-Type: application/pdf\r\nContent-Disposition: attachment; filename="{quoted}"; size=3\r\n\r\n'.encode()
    )
    assert done.isascii()
    message = parsed(done)
    assert message["content-disposition"].params["filename"] == name
    assert message["content-disposition"].params["size"] == "3"
    assert message["content-type"].params["name"] == name
    assert max(map(len, done.split(b"\r\n"))) <= 78


def test_a_name_is_told_by_rfc_2231_and_in_encoded_words() -> None:
    assert one('Content-Type: application/pdf; name="报告.pdf"; x=y') == (
        b"Content-Type: application/pdf; name*=UTF-8''%E6%8A%A5%E5%91%8A.pdf;\r\n"
        b' name="=?UTF-8?B?5oql5ZGKLnBkZg==?="; x=y\r\n'
    )


def test_a_long_name_comes_in_sections_of_which_the_first_tells_the_charset() -> None:
    assert one(f'Content-Disposition: attachment; filename="{"会议纪要" * 2}.pdf"') == (
        b"Content-Disposition: attachment;\r\n"
        b" filename*0*=UTF-8''%E4%BC%9A%E8%AE%AE%E7%BA%AA%E8%A6%81%E4%BC%9A%E8%AE%AE;\r\n"
        b" filename*1*=%E7%BA%AA%E8%A6%81.pdf\r\n"
    )


def test_pieces_of_a_parameter_that_were_raw_are_joined() -> None:
    assert (
        parsed(one('Content-Disposition: attachment; filename*0="报"; filename*1="告.pdf"')).get_filename()
        == "报告.pdf"
    )


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        (
            "To: 用户@例子.cn",
            b"To: Internationalized Address =?UTF-8?B?55So5oi3QOS+i+WtkC5jbg==?= Removed:;\r\n",
        ),
        (
            "To: 李 <用户@x.cn>, b@c.example",
            b"To: =?UTF-8?B?5p2O?= Internationalized Address =?UTF-8?B?55So5oi3QHguY24=?=\r\n Removed:;, b@c.example\r\n",
        ),
        ("To: <a@例子.cn>", b"To: <a@xn--fsqu00a.cn>\r\n"),
        ('To: "a b"@例子.cn', b'To: "a b"@xn--fsqu00a.cn\r\n'),
        ("To: friends: a@b.c, 李 <x@y.z>;", b"To: friends: a@b.c, =?UTF-8?B?5p2O?= <x@y.z>;\r\n"),
        ("To: friends: a@b.c, 李@y.z;", b"To: friends =?UTF-8?B?YUBiLmMsIOadjkB5Lno7?= :;\r\n"),
        ('To: "李"x <a@b.c>', b"To: =?UTF-8?B?5p2O?= x <a@b.c>\r\n"),
        ("From: a@b.c (评论)", b"From: a@b.c (=?UTF-8?B?6K+E6K66?=)\r\n"),
        ("Message-ID: <é@x>", b"Downgraded-Message-ID: =?UTF-8?B?PMOpQHg+?=\r\n"),
        ("Return-Path: <é@x>", b"Downgraded-Return-Path: =?UTF-8?B?PMOpQHg+?=\r\n"),
        ("Received: from a (é) by b for <é@x>; date", b"Received: from a (=?UTF-8?B?w6k=?=) by b; date\r\n"),
        ("Received: from a by b for <a@é.example>; date", b"Received: from a by b for <a@xn--9ca.example>; date\r\n"),
        ("Received: from é by b; date", b"Downgraded-Received: =?UTF-8?Q?from_=C3=A9_by_b=3B_date?=\r\n"),
        ("Date: 1 Jan 2026 (中)", b"Date: 1 Jan 2026 (=?UTF-8?B?5Lit?=)\r\n"),
        ("Keywords: 你, b", b"Keywords: =?UTF-8?B?5L2g?= , b\r\n"),
    ],
)
def test_each_kind_of_field_has_its_form(field: str, wanted: bytes) -> None:
    assert one(field) == wanted


def test_what_is_ascii_is_not_touched() -> None:
    block = b"X:  a\tb \r\n c\r\nSubject: \xe4\xbd\xa0\r\nTo: a@b.c ,  c@d.e\r\n\r\n"
    assert downgraded(block) == b"X:  a\tb \r\n c\r\nSubject: =?UTF-8?B?5L2g?=\r\nTo: a@b.c ,  c@d.e\r\n\r\n"


def test_a_line_that_is_no_field_is_left_out_only_where_it_is_not_ascii() -> None:
    assert downgraded("From x\r\nFrom 你\r\nSubject: é\r\n".encode()) == b"From x\r\nSubject: =?UTF-8?B?w6k=?=\r\n"


def test_a_field_cut_off_at_its_end_stays_so() -> None:
    assert downgraded("Subject: é".encode()) == b"Subject: =?UTF-8?B?w6k=?="


def test_decoded_from_and_subject_are_those_of_the_original() -> None:
    block = 'From: "张 三" <a@b.example>\r\nSubject: 会议 (二) notes\r\n\r\n'.encode()
    assert field_value(downgraded(block), b"subject") == b"=?UTF-8?B?5Lya6K6uICjkuowp?= notes"
    message = parsed(downgraded(block))
    assert (message["subject"], message["from"].addresses[0].display_name) == ("会议 (二) notes", "张 三")


@pytest.mark.parametrize(
    "value",
    [
        "é" * 130_000,
        "é," * 85_000,
        '"é' * 85_000,
        "(é" * 85_000,
        "<é" * 85_000,
        "é@é," * 40_000,
        "é:;" * 60_000,
        "; é=é" * 40_000,
        ";a*0=é" * 30_000,
        "for é " * 30_000,
        '<"é\\' * 40_000,
        '<é"\\"' * 40_000,
    ],
    ids=lambda value: value[:5],
)
@pytest.mark.parametrize("name", ["To", "Subject", "Content-Type", "Received"])
def test_the_work_is_linear(name: str, value: str) -> None:
    def seconds(text: str) -> float:
        started = time.process_time()
        assert one(f"{name}: {text}").isascii()
        return time.process_time() - started

    seconds("é")
    eighth = seconds(value[: len(value) // 8])
    assert seconds(value) < 24 * eighth + 0.2


def test_what_stands_in_ascii_between_angle_brackets_stays() -> None:
    """Filters look for a list by its id, which is no address (RFC 2919 section 3)."""
    assert one("List-Id: Büro <buero.lists.example>") == b"List-Id: =?UTF-8?B?QsO8cm8=?= <buero.lists.example>\r\n"
    assert one("Errors-To: Büro <>") == b"Errors-To: =?UTF-8?B?QsO8cm8=?= <>\r\n"
