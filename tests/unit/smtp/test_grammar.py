"""The grammar of commands: what is written reads back, and nothing but a `SyntaxProblem` comes of anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.conversation.command import SyntaxProblem
from mailhost.message.address import Address
from mailhost.smtp.grammar import LONGEST_PATH, Reader, decoded_utf8_address, decoded_xtext, is_xtext, number

ATOM = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789!#$%&'*+-/=?^_`{|}~", min_size=1, max_size=12)
DOT_STRINGS = st.lists(ATOM, min_size=1, max_size=3).map(".".join)
QUOTED = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=30)
LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?", fullmatch=True)
DOMAINS = st.lists(LABEL, min_size=1, max_size=4).map(".".join) | st.just("[192.0.2.1]")
ADDRESSES = st.builds(Address, DOT_STRINGS | QUOTED, DOMAINS)
KEYWORDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9-]{0,10}", fullmatch=True)
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="="), max_size=20)
PARAMETERS = st.dictionaries(KEYWORDS.map(str.upper), VALUES, max_size=4)
BLANKS = st.text(" \t", max_size=3)


def written(parameters: dict[str, str]) -> str:
    return "".join(f" {name}={value}" if value else f" {name}" for name, value in parameters.items())


@given(ADDRESSES, PARAMETERS, BLANKS, st.sampled_from(["FROM:", "from:", "From:"]))
def test_a_reverse_path_and_its_parameters_read_back(
    address: Address, parameters: dict[str, str], blanks: str, keyword: str
) -> None:
    reader = Reader(f"{keyword}{blanks}<{address}>{written(parameters)}{blanks}".encode())
    assert reader.reverse_path() == address
    assert reader.parameters() == parameters


@given(ADDRESSES, ADDRESSES)
def test_a_source_route_is_dropped(address: Address, other: Address) -> None:
    assert Reader(f"TO:<@relay.example,@b.example:{address}>".encode()).forward_path() == address


@given(st.binary(max_size=400))
def test_whatever_is_sent_reads_or_is_a_syntax_problem(line: bytes) -> None:
    for read in (Reader.reverse_path, Reader.forward_path, Reader.parameters, Reader.host, Reader.word, Reader.end):
        for prefix in (b"", b"FROM:", b"TO:<", b"FROM:<a@b.example> "):
            try:
                read(Reader(prefix + line))
            except SyntaxProblem as problem:
                assert str(problem).isprintable()


@pytest.mark.parametrize("text", [b"FROM:<>", b"FROM: <>", b"from:\t<>"])
def test_the_null_reverse_path_is_none(text: bytes) -> None:
    reader = Reader(text)
    assert reader.reverse_path() is None
    reader.end()


def test_a_path_has_256_octets_and_no_more() -> None:
    route = "@" + "a" * 60 + "," + "@" + "b" * 60 + ":"
    rest = LONGEST_PATH - 2 - len(route) - len("x@")
    path = f"{route}x@{'c' * 50}.{'d' * 50}.{'e' * (rest - 102)}"
    assert len(path) == LONGEST_PATH - 2
    assert Reader(f"TO:<{path}>".encode()).forward_path().local == "x"
    with pytest.raises(SyntaxProblem):
        Reader(f"TO:<{path}{'e' * 3}>".encode()).forward_path()


@pytest.mark.parametrize(
    ("text", "local"),
    [
        (rb'TO:<"a\\"@b.example>', "a\\"),
        (rb'TO:<"a\">\\"@b.example>', 'a">\\'),
        (b'TO:<"a>b c"@b.example>', "a>b c"),
        (b"TO:<first..last@b.example>", "first..last"),
        (b"TO:a@b.example", "a"),
    ],
)
def test_a_quoted_local_part_may_hold_what_ends_a_path(text: bytes, local: str) -> None:
    assert Reader(text).forward_path() == Address(local, "b.example")


@pytest.mark.parametrize(
    "text",
    [b"", b"TO:", b"TO:<", b"TO:<>", b"TO:<a>", b"TO:<a@b", b'TO:<"a@b>', b"TO:<a@b>x", b"FROM:<a@b>", b"TO:<a b@c>"],
)
def test_what_is_no_forward_path_is_refused(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        Reader(text).forward_path()


def test_postmaster_needs_no_domain() -> None:
    assert Reader(b"TO:<PostMaster>").forward_path() == Address("postmaster", "")


@pytest.mark.parametrize("text", [b"A=1 a=2", b"A=", b"=1", b"A==1", b"-A=1", b"A=\x01", b"A_B=1"])
def test_what_is_no_parameter_is_refused(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        Reader(text).parameters()


@given(st.integers(0, 10**20 - 1))
def test_a_number_of_up_to_20_digits_reads(value: int) -> None:
    assert number(str(value), "SIZE", 10**20 - 1) == value


@pytest.mark.parametrize("text", ["", "-1", "+1", "1.0", "١", "1e9", "9" * 21, "0" * 21])
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(SyntaxProblem):
        number(text, "SIZE", 10**20 - 1)


@pytest.mark.parametrize(
    "text",
    [
        b"client.example.net",
        b"[192.0.2.1]",
        b"[IPv6:2001:db8::1]",
        b"MY_LAPTOP",
        b"\xe4.example",
        b"john's-pc",
        b"[fe80::1%eth0]",
        b"a/b",
    ],
)
def test_a_hello_takes_what_clients_call_themselves(text: bytes) -> None:
    assert Reader(text).host()


@pytest.mark.parametrize("text", [b"", b"<script>", b"a(b)", b"[", b"[]", b"a" * 256, b";"])
def test_a_hello_takes_no_name_that_is_none(text: bytes) -> None:
    with pytest.raises(SyntaxProblem):
        Reader(text).host()


@pytest.mark.parametrize(
    ("text", "is_one"),
    [("<>", True), ("e+3Dmc2@b.example", True), ("+3d", False), ("a+", False), ("", False), ("a=b", False)],
)
def test_xtext(text: str, is_one: bool) -> None:
    assert is_xtext(text) is is_one


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1))
def test_xtext_reads_back_as_it_was_written(text: str) -> None:
    written = "".join(char if "!" <= char <= "~" and char not in "+=" else f"+{ord(char):02X}" for char in text)
    assert decoded_xtext(written) == text


@pytest.mark.parametrize("value", ["", "a b", "a+", "a+4", "a+4g", "a+0A", "a+00", "a+7F", "a+FF", "a=b", "ä"])
def test_what_is_no_xtext_or_no_printable_ascii_is_refused(value: str) -> None:
    assert decoded_xtext(value) is None


@given(st.text(st.characters(min_codepoint=0x20, exclude_categories=["C", "Z"]), min_size=1), st.booleans())
def test_a_utf_8_address_reads_back_in_either_form(text: str, in_ascii: bool) -> None:
    def written(char: str) -> str:
        return rf"\x{{{ord(char):02X}}}" if char in "+=\\" or (in_ascii and char > "~") else char

    assert decoded_utf8_address("".join(map(written, text))) == text


@pytest.mark.parametrize(
    "value", ["", "a b", "a+b", "a=b", r"a\b", r"\x{41}", r"\x{0A}", r"\x{D800}", r"\x{110000}", r"\x{4f2f}", r"\x{85}"]
)
def test_what_is_no_utf_8_address_is_refused(value: str) -> None:
    assert decoded_utf8_address(value) is None
