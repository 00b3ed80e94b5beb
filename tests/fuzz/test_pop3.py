"""The POP3 reader over every rule, and the masking of secrets."""

from hypothesis import given
from hypothesis import strategies as st

from mailhost.conversation.command import SyntaxProblem
from mailhost.pop3.grammar import Reader, command, masked
from tests.fuzz.soup import BOTH_FORMS, grows_linearly, soups

WORDS = b"USER PASS pass APOP AUTH auth PLAIN LOGIN NTLM TOP RETR LIST UIDL DELE 0 1 10 4294967296 99999999999 -1 = AGEAYg== alice secret".split()
SOUPS = soups([*WORDS, b" ", b" ", b" ", b"\t", b"\0", b"\r", b"\xc3", b"\xd9\xa1"])
RULES = [
    Reader.nothing,
    Reader.user,
    Reader.password,
    Reader.message,
    Reader.optional_message,
    Reader.message_and_lines,
    Reader.authentication,
]


def read(line: bytes) -> None:
    for rule in RULES:
        try:
            rule(command(line)[1])
        except SyntaxProblem as problem:
            assert str(problem).isprintable()
    masked(line)


@BOTH_FORMS
@given(line=SOUPS)
def test_any_words_are_arguments_or_a_syntax_problem(form: str, line: bytes) -> None:
    read(line)


@BOTH_FORMS
@given(
    blank=st.sampled_from([b"", b" ", b"  "]),
    verb=st.sampled_from([b"PASS", b"pass", b"Apop", b"AUTH PLAIN"]),
    rest=SOUPS,
)
def test_what_follows_a_secret_word_is_masked(form: str, blank: bytes, verb: bytes, rest: bytes) -> None:
    secret = b"~secret~"
    assert secret not in masked(blank + verb + b" " + rest + secret + rest)


@BOTH_FORMS
@given(piece=soups([*WORDS, b" "], 4))
def test_four_times_as_much_takes_four_times_as_long(form: str, piece: bytes) -> None:
    assert grows_linearly(read, piece)
