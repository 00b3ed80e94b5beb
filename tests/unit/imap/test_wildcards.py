"""LIST's wildcards, against regular expressions."""

import re

from hypothesis import given
from hypothesis import strategies as st

from mailhost.imap.wildcards import Matcher, Pattern

NAMES = st.text("ab/", max_size=12)
PATTERNS = st.text("ab/*%", max_size=10)


@given(PATTERNS, NAMES)
def test_a_pattern_matches_what_the_regular_expression_matches(pattern: str, name: str) -> None:
    expression = "".join({"*": ".*", "%": "[^/]*"}.get(mark, re.escape(mark)) for mark in pattern)
    assert Pattern(pattern).matches(name) == bool(re.fullmatch(expression, name))


def test_a_pattern_of_many_stars_is_no_slower_than_its_length() -> None:
    assert not Pattern("*a" * 500).matches("a" * 499 + "b")
    assert Pattern("%*a" * 499).matches("a" * 499)


def test_inbox_is_found_in_any_case_and_others_are_not() -> None:
    assert Matcher("iNb%")("INBOX")
    assert not Matcher("sent")("Sent")
