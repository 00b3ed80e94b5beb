import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.address import Address
from mailhost.message.headers import fields
from mailhost.message.received import Hop, delivered_to_field, received_count, received_field, return_path_field

HOP = Hop("mx.example.com", "mx.example.com", "192.0.2.1", "mail.example.org", "ESMTPS", "00c0ffee", 1795255200000)
any_text = st.text(max_size=60) | st.sampled_from(["a\r\nBcc: x", "(", ")", "\0", "", '"', ";", "<", "x" * 2_000])


def test_a_received_field_says_how_the_message_came() -> None:
    assert received_field(HOP, Address("bob", "example.org")) == (
        b"Received: from mx.example.com (mx.example.com [192.0.2.1])\r\n"
        b"\tby mail.example.org with ESMTPS id 00c0ffee\r\n"
        b"\tfor <bob@example.org>;\r\n"
        b"\tSat, 21 Nov 2026 10:00:00 +0000\r\n"
    )


def test_without_a_recipient_alone_none_is_named() -> None:
    field = received_field(replace(HOP, peer_name=None, peer_ip="2001:db8::1"))
    assert b" for " not in field
    assert b"from mx.example.com ([IPv6:2001:db8::1])" in field
    assert b"id 00c0ffee;\r\n\tSat, 21 Nov 2026" in field


def test_the_priority_that_was_asked_for_stands_last() -> None:
    """An additional clause, behind the usual ones (RFC 6710 section 7; RFC 5321 section 4.4)."""
    field = received_field(replace(HOP, priority=-9), Address("bob", "example.org"))
    assert b"\tfor <bob@example.org>\r\n\tPRIORITY -9;\r\n\tSat, 21 Nov" in field
    assert b"PRIORITY 0;" in received_field(replace(HOP, priority=0))


def test_return_path_and_delivered_to() -> None:
    assert return_path_field(None) == b"Return-Path: <>\r\n"
    assert return_path_field(Address("a b", "x.org")) == b'Return-Path: <"a b"@x.org>\r\n'
    assert delivered_to_field(Address("bob", "example.org")) == b"Delivered-To: bob@example.org\r\n"


hops = st.builds(Hop, any_text, any_text | st.none(), any_text, any_text, any_text, any_text, st.just(0))


@given(hops, (any_text | st.none()))
def test_no_peer_can_write_a_line_of_its_own(hop: Hop, local: str | None) -> None:
    recipient = None if local is None else Address(local, "example.org")
    field = received_field(hop, recipient)
    assert fields(field) == [(b"Received", field)]
    assert_one_clean_field(field)
    clauses = field.split(b" by ")[0].split(b"\tby ")[0]
    assert clauses.count(b"(") == clauses.count(b")") == 1
    if recipient is None:
        assert field.count(b";") == 1


@given(any_text, any_text)
def test_no_address_can_write_a_line_of_its_own(local: str, domain: str) -> None:
    assert_one_clean_field(return_path_field(Address(local, domain)))
    assert_one_clean_field(delivered_to_field(Address(local, domain)))


def assert_one_clean_field(field: bytes) -> None:
    assert field.endswith(b"\r\n")
    assert not re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n)|\r\n(?!\t|\Z)", field)


def test_hops_are_counted() -> None:
    block = b"Received: a\r\nX: b\r\nRECEIVED: c\r\n\td\r\n\r\nReceived: body\r\n"
    assert received_count(block) == 2
    assert received_count(received_field(HOP) + block) == 3
