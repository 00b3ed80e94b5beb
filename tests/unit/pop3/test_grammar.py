"""How POP3 commands read."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.conversation.command import SyntaxProblem
from mailhost.pop3.grammar import Reader, command, masked

lines = st.binary(max_size=1024).filter(lambda line: b"\n" not in line)
numbers = st.integers(0, 9_999_999_999)
READERS = [
    Reader.nothing,
    Reader.user,
    Reader.password,
    Reader.message,
    Reader.optional_message,
    Reader.message_and_lines,
    Reader.authentication,
]


@given(numbers, st.integers(1, 4))
def test_a_message_number_reads_as_it_was_written(number: int, spaces: int) -> None:
    verb, reader = command(b"retr" + b" " * spaces + b"%d" % number)
    assert (verb, reader.message()) == ("RETR", number)


@given(numbers, numbers)
def test_top_reads_two_numbers(number: int, count: int) -> None:
    assert Reader(b" %d %d" % (number, count)).message_and_lines() == (number, count)


@pytest.mark.parametrize(
    "octets", [b"", b" ", b" x", b" 1x", b" -1", b" +1", b" 1 2", b" 12345678901", b" 1.0", b"\t1"]
)
def test_what_is_no_message_number_is_refused(octets: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        Reader(octets).message()


def test_list_without_a_number_means_all() -> None:
    assert Reader(b"").optional_message() is None
    assert Reader(b"  ").optional_message() is None
    assert Reader(b" 7").optional_message() == 7


@given(st.text(max_size=200).filter(lambda word: "\n" not in word))
def test_a_password_is_the_rest_of_the_line_to_the_last_blank(password: str) -> None:
    _, reader = command(b"PASS " + password.encode())
    assert reader.password() == password


def test_a_password_in_an_old_charset_reads_as_latin_1() -> None:
    assert Reader(b" gr\xfc\xdfe").password() == "grüße"


def test_blanks_around_a_user_name_are_taken_off() -> None:
    assert Reader(b"  alice@example.org ").user() == "alice@example.org"


@pytest.mark.parametrize(
    ("octets", "read"),
    [
        (b"", None),
        (b" PLAIN", ("PLAIN", None)),
        (b" plain =", ("plain", b"=")),
        (b" PLAIN  AGEAYg==", ("PLAIN", b"AGEAYg==")),
    ],
)
def test_auth_has_a_mechanism_and_perhaps_a_response(octets: bytes, read: object) -> None:
    assert Reader(octets).authentication() == read


@pytest.mark.parametrize("read", READERS)
@given(line=lines)
def test_any_octets_read_or_are_refused(read: Callable[[Reader], Any], line: bytes) -> None:
    _, reader = command(line)
    try:
        read(reader)
    except SyntaxProblem as problem:
        assert str(problem)


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b"PASS secret", b"PASS ***"),
        (b"pass  secret word", b"pass ***"),
        (b"PASS\tsecret", b"PASS ***"),
        (b" PASS secret", b"PASS ***"),
        (b"PASSsecret", b"PASS ***"),
        (b"APOP alice secret", b"APOP ***"),
        (b"AUTH PLAIN c2VjcmV0", b"AUTH PLAIN ***"),
        (b"auth  login c2VjcmV0", b"auth  login ***"),
        (b"AUTH PLAIN", b"AUTH PLAIN"),
        (b"AUTH", b"AUTH"),
        (b"AUTH secret", b"AUTH ***"),
        (b"AUTH secret word", b"AUTH *** ***"),
        (b"USER secret", b"USER ***"),
        (b"USER alice@example.org secret", b"USER alice@example.org ***"),
        (b"USER alice@example.org", b"USER alice@example.org"),
        (b"RETR 1", b"RETR 1"),
        (b"", b""),
    ],
)
def test_no_secret_is_shown(line: bytes, shown: bytes) -> None:
    assert masked(line) == shown


@given(st.sampled_from([b"PASS", b"pass", b" Pass"]), st.binary(min_size=1, max_size=50))
def test_nothing_of_a_password_is_left(verb: bytes, password: bytes) -> None:
    assert masked(verb + b" " + password).strip() == verb.strip() + b" ***"
