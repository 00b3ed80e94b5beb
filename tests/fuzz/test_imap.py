"""The IMAP reader, over every command that there is: arguments, search keys, fetch items, names; literals where they come."""

from hypothesis import example, given
from hypothesis import strategies as st

from mailhost.conversation.command import SyntaxProblem
from mailhost.imap import utf7
from mailhost.imap.dialect import dialect
from mailhost.imap.grammar import Reader, head, tag_of
from mailhost.imap.literal import Allowance, announced
from mailhost.imap.values import Literal
from tests.fuzz.soup import BOTH_FORMS, grows_linearly, soups

DIALECT = dialect()
COMMANDS = sorted(DIALECT.commands)
MARKS = [
    b" ",
    b" ",
    b" ",
    b"(",
    b")",
    b"[",
    b"]",
    b"<",
    b">",
    b".",
    b",",
    b":",
    b"*",
    b"%",
    b'"',
    b'""',
    b"\\",
    b"{1}",
    b"{0+}",
    b"=",
]
WORDS = (
    b"ALL FAST FULL FLAGS BODY BODY.PEEK BODY[ BODY[1.2.HEADER.FIELDS RFC822.PEEK RFC822.SIZE UID ENVELOPE TEXT MIME HEADER.FIELDS "
    b"SUBJECT FROM NOT OR SEEN KEYWORD SINCE LARGER HEADER BEFORE CHARSET UTF-8 RETURN CHANGEDSINCE UNCHANGEDSINCE CONDSTORE MODSEQ "
    b"MESSAGES UIDNEXT STATUS SUBSCRIBED \\Seen \\Deleted \\Recent +FLAGS.SILENT -FLAGS INBOX NIL 1 0 2:* 4294967295 1:4294967296 "
    b'1-Feb-2026 "1-Feb-2026" &AOQ- &- abc "a\\"b" IMAP4rev2 AUTH=PLAIN AGEAYg=='
).split()
SOUPS = soups([*MARKS, *WORDS])


def read(verb: str, octets: bytes) -> None:
    """As the session does it: what is in braces is a literal, and the last one of APPEND is still on its way."""
    command = DIALECT.commands[verb]
    literals = {at: b"x" for at in range(len(octets)) if octets.startswith(b"{", at)}
    reader = Reader(octets, literals, by_uid=command.by_uid, vocabulary=DIALECT.vocabulary)
    found = announced(octets)
    reader.announced = found[1] if command.streams and found else None
    try:
        command.parse(reader)
    except SyntaxProblem as problem:
        assert str(problem).isprintable()  # it is said to the client


@BOTH_FORMS
@given(verb=st.sampled_from(COMMANDS), octets=SOUPS)
@example(verb="SEARCH", octets=b" " + b"(" * 2_000)
@example(verb="SEARCH", octets=b" " + b"NOT " * 2_000)
@example(verb="FETCH", octets=b" 1 " + b"(" * 2_000)
def test_any_words_are_arguments_or_a_syntax_problem(form: str, verb: str, octets: bytes) -> None:
    read(verb, b" " + octets)
    read(verb, octets)


@BOTH_FORMS
@given(octets=st.binary(max_size=60) | SOUPS)
def test_any_line_has_a_head_or_none_and_announces_a_literal_or_none(form: str, octets: bytes) -> None:
    try:
        assert head(octets).end <= len(octets)
    except SyntaxProblem as problem:
        assert str(problem).isprintable()
    tag = tag_of(octets)
    assert tag is None or octets.startswith(tag)
    found = announced(octets)
    if found is not None:
        start, literal = found
        assert octets[start : start + 1] == b"{"
        assert literal.octets >= 0
        assert int(octets[start:].strip(b"{+}")) == literal.octets


@BOTH_FORMS
@given(sizes=st.lists(st.integers(0, 1 << 70), max_size=50))
def test_literals_never_take_more_than_is_allowed(form: str, sizes: list[int]) -> None:
    allowance, taken = Allowance(line=1_000, literals=10_000), 0
    for octets in sizes:
        try:
            allowance.take_literal(Literal(octets, synchronizing=True))
        except SyntaxProblem:
            break
        taken += octets
    assert taken <= 10_000


@BOTH_FORMS
@given(
    octets=soups(
        [b"&", b"-", b"&-", b"&AOQ-", b"&2D3eAA-", b"&2D0-", b"&AA", b",", b"/", b"a", b"INBOX", b"\xc3\xa4"], 12
    )
)
def test_a_name_in_utf7_is_read_in_one_way_or_refused(form: str, octets: bytes) -> None:
    try:
        name = utf7.decode(octets)
    except ValueError as problem:
        assert str(problem).isprintable()
        return
    assert utf7.encode(name) == octets
    name.encode()  # no half of a surrogate pair is in it


@BOTH_FORMS
@given(
    verb=st.sampled_from(["SEARCH", "FETCH", "STORE", "LIST", "STATUS", "ID", "APPEND", "COPY"]),
    piece=soups([*MARKS, *WORDS], 4),
)
def test_four_times_as_much_takes_four_times_as_long(form: str, verb: str, piece: bytes) -> None:
    for before in (b" ", b" 1 ", b" 1 FLAGS (", b" INBOX (", b" ("):
        assert grows_linearly(lambda octets: read(verb, octets), piece, before)
