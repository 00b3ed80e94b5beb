"""Whom a header names as its author, read so that nobody else can be meant."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.address import Address
from mailhost.smtp.authors import LONGEST_FIELD, MOST_AUTHORS, Authors

ALICE = Address("alice", "example.org")
BOB = Address("bob", "example.org")


def header(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"


@pytest.mark.parametrize(
    "written",
    [
        "alice@example.org",
        "Alice <alice@example.org>",
        '"bob@example.org" <alice@example.org>',
        "alice@example.org <alice@EXAMPLE.org>",
        "(bob@example.org) alice@example.org (<bob@example.org> bob)",
        '"a > b" <alice@example.org>',
        '"bob@example.org" (bob@example.org) Al <alice@example.org>',
        '"\\"<bob@example.org>" <alice@EXAMPLE.org>',
        "=?utf-8?q?bob=40example.org?= <alice@example.org>",
        "<@bob.example:alice@example.org>",
        "\r\n <alice@example.org>",
        "< alice@example.org >",
        '"alice"@example.org',
        "A. L. Ice <alice@example.org>",
        "<alice@example.org> (the one and only)",
    ],
)
def test_one_author_is_read_whatever_stands_around(written: str) -> None:
    authors = Authors.of(header("To: bob@example.org", f"From: {written}", "Subject: From: bob@example.org"))
    assert authors.problem == ""
    assert authors.addresses == [ALICE]


@pytest.mark.parametrize(
    "written",
    [
        "",
        ",",
        "alice@example.org,",
        ",alice@example.org",
        "alice @ example.org",
        "alice@example.org(bob@example.org)",
        "(alice@example.org",
        'alice@example.org (" <bob@example.org>',
        "alice@example.org (never closed",
        "alice@example.org (\\) <bob@example.org>",
        "<alice@example.org> (a (b)",
        "bob@example.org <alice@example.org>",
        "Bob bob@example.org <alice@example.org>",
        "@ <alice@example.org>",
        "<alice@example.org",
        "<alice@example.org>, <bob",
        '"alice@example.org',
        "Bob: <alice@example.org>",
        "alice",
        "<>",
        "@example.org",
        "alice@",
        "<alice@example.org> bob@example.org",
        "<alice@example.org><bob@example.org>",
        "alice@example.org bob@example.org",
        "alice@example.org; bob",
        "us:alice@example.org;",
        "us:;",
        "us:alice@example.org",
        "alice@exa mple.org",
        "alice@[example.org",
        "\udc80@example.org",
    ],
)
def test_what_could_mean_somebody_else_is_a_problem(written: str) -> None:
    raw = b"From: " + written.encode("utf-8", "surrogateescape") + b"\r\n\r\n"
    authors = Authors.of(raw)
    assert authors.problem or authors.addresses != [ALICE]


@given(st.lists(st.sampled_from(["From", "from", "FROM", "Sender", "Resent-From", "To", "X-From"]), max_size=6))
def test_exactly_one_from_and_at_most_one_sender_whatever_else_there_is(names: list[str]) -> None:
    authors = Authors.of(header(*(f"{name}: alice@example.org" for name in names)))
    known = [name.lower() for name in names]
    assert (authors.problem == "") == (known.count("from") == 1 and known.count("sender") <= 1)


@given(
    st.lists(st.sampled_from(["alice@example.org", "Bob <bob@example.org>", "c@example.com"]), min_size=1, max_size=5)
)
def test_every_author_and_the_sender_must_be_owned(written: list[str]) -> None:
    authors = Authors.of(header(f"From: {', '.join(written)}", "Sender: dave@example.org"))
    assert authors.problem == ""
    assert {each.text() for each in authors.addresses} == {
        *(each.rpartition(" ")[2].strip("<>") for each in written),
        "dave@example.org",
    }


def test_of_those_who_resent_only_the_newest_counts() -> None:
    authors = Authors.of(header("Resent-From: alice@example.org", "Resent-From: us:;", "From: bob@example.org"))
    assert authors.problem == ""
    assert set(authors.addresses) == {ALICE, BOB}


@pytest.mark.parametrize("piece", ["alice@example.org, ", "a b ", "((", '"', "<", "us:", "> "])
def test_a_field_of_a_megabyte_is_refused_in_no_time(piece: str) -> None:
    raw = b"From: alice@example.org, " + piece.encode() * ((1 << 20) // len(piece)) + b"\r\n\r\n"
    assert "longer" in Authors.of(raw).problem
    begun = time.process_time()
    assert Authors.of(raw[: LONGEST_FIELD - 10] + b"\r\n\r\n").problem
    assert time.process_time() - begun < 0.02


def test_the_number_of_authors_has_a_bound() -> None:
    written = [f"a{number}@example.org" for number in range(MOST_AUTHORS + 1)]
    assert len(", ".join(written)) < LONGEST_FIELD
    sender = "Sender: a0@example.org"
    assert Authors.of(header(f"From: {', '.join(written[:-1])}", sender)).problem == ""
    assert "more than" in Authors.of(header(f"From: {', '.join(written)}", sender)).problem
