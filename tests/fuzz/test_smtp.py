"""The SMTP reader over every command, addresses, and data in pieces."""

from contextlib import suppress

from hypothesis import example, given

from mailhost.conversation.command import SyntaxProblem
from mailhost.message.address import AddressProblem, parse_address
from mailhost.smtp.grammar import Reader
from tests.fuzz.soup import BOTH_FORMS, grows_linearly, soups

WORDS = (
    b"FROM: TO: <> < > @ @a: @a,@b: a@b a@[192.0.2.1] a@[IPv6:::1] postmaster <postmaster> SIZE=1 SIZE= BODY=8BITMIME AUTH=<> AUTH=+41 "
    b"RET=FULL NOTIFY=NEVER ORCPT=rfc822;a@b ENVID=x SMTPUTF8 BY=-9;RT MT-PRIORITY=-9 = + , : ; . .. ( ) [ ] \\ a b.c xn--a- PLAIN LOGIN AGEAYg== LAST 10"
).split()
MARKS = [b" ", b" ", b"\t", b'"', b'""', b'"a b"', b"\xc3\xa4", b"\xe2\x80\xae", b"\0", b"\r"]
SOUPS = soups([*MARKS, *WORDS])
READERS = [
    Reader.reverse_path,
    Reader.forward_path,
    Reader.parameters,
    Reader.host,
    Reader.word,
    Reader.optional_word,
    Reader.rest,
    Reader.end,
]


def read(octets: bytes) -> None:
    for rule in READERS:
        with suppress(SyntaxProblem):
            rule(Reader(octets))
    reader = Reader(octets)
    with suppress(SyntaxProblem):
        path = reader.reverse_path()
        assert path is None or str(path).isprintable()
        reader.parameters()
        reader.end()


@BOTH_FORMS
@given(octets=SOUPS)
@example(octets=b'FROM:<"' + b"\\" * 300)
@example(octets=b"TO:<" + b"@a," * 100)
def test_any_words_are_arguments_or_a_syntax_problem(form: str, octets: bytes) -> None:
    for before in (b"", b"FROM:<", b"TO:<", b"FROM:<a@b> "):
        read(before + octets)


@BOTH_FORMS
@given(octets=SOUPS)
def test_what_is_an_address_is_written_and_read_again_as_the_same(form: str, octets: bytes) -> None:
    try:
        address = parse_address(octets)
    except AddressProblem as problem:
        assert str(problem).isprintable()
        return
    assert parse_address(str(address).encode()) == address
    assert str(address).isprintable()


@BOTH_FORMS
@given(piece=soups([*MARKS, *WORDS], 4))
def test_four_times_as_much_takes_four_times_as_long(form: str, piece: bytes) -> None:
    for before in (b"FROM:<a@b> ", b"FROM:<", b'TO:"', b""):
        assert grows_linearly(read, piece, before)
