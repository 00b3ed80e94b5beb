"""What is done to the header block on its way in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.delivery.header_filter import received, submitted
from mailhost.ids import Millis
from mailhost.message.headers import fields

HOST = "mail.example.org"
JOURNEY, AT = 7, Millis(1_795_000_000_000)
NAMES = st.sampled_from(
    [b"Subject", b"To", b"bcc", b"BCC", b"Resent-Bcc", b"Date", b"message-id", b"X-Bcc", b"Received"]
)
VALUES = st.binary(max_size=30).map(lambda value: value.translate(None, b"\r\n"))
FIELDS = st.lists(st.tuples(NAMES, VALUES, st.booleans()), max_size=6)


def block(written: list[tuple[bytes, bytes, bool]]) -> bytes:
    return b"".join(
        name + b": " + value + (b"\r\n folded" if folds else b"") + b"\r\n" for name, value, folds in written
    )


@given(FIELDS)
def test_submitted_it_has_a_date_and_a_message_id_and_no_bcc_and_all_else_as_it_was(
    written: list[tuple[bytes, bytes, bool]],
) -> None:
    header = block(written) + b"\r\n"
    found = submitted(header, HOST, JOURNEY, AT)
    names = [name.lower() for name, _ in fields(found)]
    assert not {b"bcc", b"resent-bcc"} & set(names)
    given_names = [name.lower() for name, _, _ in written]
    for wanted in (b"date", b"message-id"):
        assert names.count(wanted) == max(given_names.count(wanted), 1)
    kept = [each for each in written if each[0].lower() not in (b"bcc", b"resent-bcc")]
    assert found.endswith(block(kept) + b"\r\n")


def test_what_is_added_reads_as_it_should() -> None:
    found = submitted(b"Subject: x\r\n\r\n", HOST, JOURNEY, AT)
    assert found == (
        b"Date: Wed, 18 Nov 2026 11:06:40 +0000\r\nMessage-ID: <0000000000000007@mail.example.org>\r\nSubject: x\r\n\r\n"
    )


@pytest.mark.parametrize(
    "value",
    [
        b" mail.example.org; spf=pass",
        b"mail.example.org;spf=pass",
        b" MAIL.Example.ORG 1; none",
        b"\r\n\tmail.example.org\r\n\t; none",
        b' "mail.example.org"; none',
        b" (a (nested) comment) mail.example.org; none",
        b" mail.example.org(comment); none",
        b" mail.example.org",
    ],
)
@pytest.mark.parametrize("name", [b"Authentication-Results:", b"AUTHENTICATION-results :"])
def test_a_verdict_that_claims_to_be_ours_goes(name: bytes, value: bytes) -> None:
    assert received(b"A: 1\r\n" + name + value + b"\r\nB: 2\r\n\r\n", HOST) == b"A: 1\r\nB: 2\r\n\r\n"


@pytest.mark.parametrize(
    "field",
    [
        b"Authentication-Results: mx.example.net; spf=pass",
        b"Authentication-Results: xmail.example.org; spf=pass",
        b"Authentication-Results: mail.example.org.example.net; spf=pass",
        b"Authentication-Results: mx.example.net; x=mail.example.org",
        b"Authentication-Results:",
        b"X-Authentication-Results: mail.example.org; spf=pass",
        b"Bcc: somebody@example.net",
    ],
)
def test_all_else_that_other_hosts_send_stays(field: bytes) -> None:
    header = b"A: 1\r\n" + field + b"\r\n\r\n"
    assert received(header, HOST) == header
