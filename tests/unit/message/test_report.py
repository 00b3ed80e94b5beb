"""A notice is read back, by Python's own `email`, as it was meant; whatever a host has said stays in its field."""

from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from email.parser import BytesParser
from email.policy import SMTP, SMTPUTF8
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.address import Address
from mailhost.message.report import Action, Notice, Report, Reported, Returned, report

HEADER = b"From: alice@red.test\r\nSubject: hello\r\nMessage-ID: <1@red.test>\r\n"
FAILED = Reported(
    "bob@blue.test",
    Action.FAILED,
    "5.1.1",
    "rfc822;Bob+x@blue.test",
    "mx.blue.test",
    "550 5.1.1 No such user",
    tried=1_780_000_060_000,
)
PLAIN = Report(
    "mx.red.test",
    Address("postmaster", "red.test"),
    Address("alice", "red.test"),
    "Not delivered: hello",
    "Your message could not be delivered.\n",
    1_780_000_060_000,
    "<0011@red.test>",
    "<1@red.test>",
    1_780_000_000_000,
    "QQ314159",
    (FAILED,),
    Returned(HEADER + b"\r\nbody\r\n"),
)
ANYTHING = st.text(max_size=200)
WORDS = st.text(st.sampled_from('ab \r\n\t\0\x0b\x85\u2028;:-<>"\\=?中é'), max_size=1_200)
ADDRESSES = st.builds(
    "{}@{}".format, st.text(st.sampled_from("ab.+=\\中é"), min_size=1, max_size=30), st.just("blue.test")
)


def read(notice: Notice) -> Any:
    return BytesParser(policy=SMTPUTF8 if notice.is_utf8 else SMTP).parsebytes(notice.octets)


def groups(notice: Notice) -> list[Message]:
    """The delivery-status: fields of the message, then of each recipient."""
    _, status, *_ = read(notice).get_payload()
    if status.get_content_type() == "message/delivery-status":
        return list(status.get_payload())
    whole = notice.octets.split(b"message/global-delivery-status\r\n")[1].split(b"\r\n\r\n", 1)[1].split(b"\r\n--=_")[0]
    return [message_from_bytes(group, policy=SMTPUTF8) for group in whole.rstrip(b"\r\n").split(b"\r\n\r\n")]


def test_the_parts_and_their_fields() -> None:
    notice = report(PLAIN)
    parsed = read(notice)
    assert not parsed.defects
    assert parsed.get_content_type() == "multipart/report"
    assert parsed.get_param("report-type") == "delivery-status"
    assert parsed["Auto-Submitted"] == "auto-replied"
    assert parsed["In-Reply-To"] == parsed["References"] == "<1@red.test>"
    assert (parsed["From"], parsed["To"]) == ("Mail Delivery System <postmaster@red.test>", "alice@red.test")
    text, _, returned = parsed.get_payload()
    assert text.get_payload() == "Your message could not be delivered.\r\n"
    assert (returned.get_content_type(), returned.get_payload()) == ("text/rfc822-headers", HEADER.decode())
    message, recipient = groups(notice)
    assert dict(message.items()) == {
        "Original-Envelope-Id": "QQ314159",
        "Reporting-MTA": "dns; mx.red.test",
        "Arrival-Date": "Thu, 28 May 2026 20:26:40 +0000",
    }
    assert dict(recipient.items()) == {
        "Original-Recipient": "rfc822; Bob+x@blue.test",
        "Final-Recipient": "rfc822; bob@blue.test",
        "Action": "failed",
        "Status": "5.1.1",
        "Remote-MTA": "dns; mx.blue.test",
        "Diagnostic-Code": "smtp; 550 5.1.1 No such user",
        "Last-Attempt-Date": "Thu, 28 May 2026 20:27:40 +0000",
    }


@given(WORDS, WORDS, ANYTHING, ADDRESSES, ANYTHING, st.booleans())
def test_what_was_said_breaks_out_of_no_field_and_no_line(
    reply: str, subject: str, text: str, recipient: str, host: str, takes_utf8: bool
) -> None:
    said = replace(FAILED, reply=f"550 {reply}", recipient=recipient, host=host)
    about = replace(PLAIN, recipients=(said, FAILED), subject=subject, text=text, takes_utf8=takes_utf8)
    notice = report(about)
    assert all(len(line) <= 998 for line in notice.octets.split(b"\r\n"))
    assert notice.octets.count(b"\n") == notice.octets.count(b"\r") == notice.octets.count(b"\r\n")
    assert b"\0" not in notice.octets
    assert takes_utf8 or notice.octets.isascii()
    assert notice.is_8bit <= notice.is_utf8
    parsed = read(notice)
    assert len(parsed.get_payload()) == 3
    assert [name for name, _ in parsed.raw_items()] == [name for name, _ in read(report(PLAIN)).raw_items()]
    message, first, second = groups(notice)
    names = {"Original-Recipient", "Final-Recipient", "Action", "Status", "Remote-MTA", "Diagnostic-Code"}
    assert set(first.keys()) - {"Remote-MTA"} == names - {"Remote-MTA"} | {"Last-Attempt-Date"}
    assert dict(second.items()) == dict(groups(report(PLAIN))[1].items())
    assert set(message.keys()) == {"Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"}
    part = parsed.get_payload()[0]
    wanted = "".join(f"{line}\n" for line in text.splitlines())
    shown = part.get_payload(decode=True).decode().replace("\r\n", "\n")
    assert shown == "".join(c if c.isprintable() or c == "\n" else " " for c in wanted)


@given(st.binary(max_size=600), st.booleans(), st.booleans())
def test_whatever_comes_back_is_one_part_that_reads_back(octets: bytes, is_whole: bool, takes_utf8: bool) -> None:
    notice = report(replace(PLAIN, returned=Returned(octets, is_whole), takes_utf8=takes_utf8))
    assert all(len(line) <= 998 for line in notice.octets.split(b"\r\n"))
    parsed = read(notice)
    assert len(parsed.get_payload()) == 3
    part = parsed.get_payload()[2]
    assert notice.is_8bit or part["Content-Transfer-Encoding"] != "8bit"
    if part.get_content_type() == "text/rfc822-headers":
        assert octets.startswith(part.get_payload(decode=True).rstrip(b"\r\n"))


@pytest.mark.parametrize(
    ("header", "body", "takes_utf8", "kind", "encoding"),
    [
        (HEADER, b"body\r\n", False, "message/rfc822", "7bit"),
        (HEADER, "中文\r\n".encode(), False, "message/rfc822", "8bit"),
        (HEADER, b"\0\r\n", False, "text/rfc822-headers", "7bit"),
        (HEADER, b"a\nb\r\n", False, "text/rfc822-headers", "7bit"),
        (HEADER, b"x" * 1_000, False, "text/rfc822-headers", "7bit"),
        ("Subject: 中文\r\n".encode(), b"body\r\n", True, "message/global", "8bit"),
        ("Subject: 中文\r\n".encode(), b"body\r\n", False, "text/rfc822-headers", "base64"),
        (b"Subject: \xd6\xd0\r\n", b"body\r\n", True, "text/rfc822-headers", "base64"),
    ],
)
def test_a_whole_message_comes_back_in_a_form_that_can_travel(
    header: bytes, body: bytes, takes_utf8: bool, kind: str, encoding: str
) -> None:
    whole = header + b"\r\n" + body
    notice = report(replace(PLAIN, returned=Returned(whole, is_whole=True), takes_utf8=takes_utf8))
    part = read(notice).get_payload()[2]
    assert (part.get_content_type(), part["Content-Transfer-Encoding"]) == (kind, encoding)
    assert (whole in notice.octets) == kind.startswith("message/")
    assert notice.is_utf8 == (kind == "message/global")


def test_an_address_in_utf8_is_written_for_readers_that_take_it_and_in_numbers_for_others() -> None:
    said = replace(FAILED, recipient="用户+x@blue.test", original=None)
    global_form = report(replace(PLAIN, recipients=(said,), takes_utf8=True))
    assert "Final-Recipient: utf-8; 用户\\x{2B}x@blue.test\r\n".encode() in global_form.octets
    assert read(global_form).get_param("report-type") == "global-delivery-status"
    assert global_form.is_utf8
    plain = report(replace(PLAIN, recipients=(said,)))
    assert b"Final-Recipient: utf-8; \\x{7528}\\x{6237}\\x{2B}x@blue.test\r\n" in plain.octets
    assert not plain.is_utf8
    assert not plain.is_8bit


@pytest.mark.parametrize("word", ["x" * 3_000, "中" * 3_000, "\U00020000" * 3_000])
@pytest.mark.parametrize("takes_utf8", [True, False])
def test_a_word_that_never_ends_is_broken(word: str, takes_utf8: bool) -> None:
    said = replace(FAILED, reply=word)
    notice = report(replace(PLAIN, recipients=(said,), takes_utf8=takes_utf8))
    assert all(len(line) <= 998 for line in notice.octets.split(b"\r\n"))
    assert len(groups(notice)) == 2


def test_a_long_address_is_not_broken() -> None:
    long = f"{'a' * 250}@{'.'.join(['b' * 60] * 4)}"
    _, recipient = groups(report(replace(PLAIN, recipients=(replace(FAILED, recipient=long),))))
    assert recipient["Final-Recipient"].split() == ["rfc822;", long]


def test_a_notice_to_an_address_in_utf8_needs_smtputf8() -> None:
    assert report(replace(PLAIN, to=Address("用户", "red.test"))).is_utf8


def test_a_message_that_holds_the_delimiter_gets_another_one() -> None:
    first = read(report(PLAIN)).get_boundary()
    notice = report(replace(PLAIN, returned=Returned(HEADER + f"\r\n--{first}--\r\n".encode(), is_whole=True)))
    assert read(notice).get_boundary() != first
    assert len(read(notice).get_payload()) == 3


@pytest.mark.parametrize("about", ["", "no brackets", "<a@b> <c@d>", "<中@b>", "<a@b\r\nX: y>"])
def test_a_message_id_that_is_none_is_not_repeated(about: str) -> None:
    assert "References" not in read(report(replace(PLAIN, about=about)))
