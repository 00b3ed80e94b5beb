import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.message.address import Address, AddressProblem, parse_address

HOST_LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
locals_ = st.text(st.characters(blacklist_categories=("C", "Z")) | st.just(" "), min_size=1, max_size=16).filter(
    lambda text: text.isprintable()
)


@pytest.mark.parametrize(
    ("text", "local", "domain"),
    [
        (b"alice@example.com", "alice", "example.com"),
        (b" Alice@EXAMPLE.com. ", "Alice", "example.com"),
        (b'"a b"@example.com', "a b", "example.com"),
        (b'"a\\"\\\\b"@example.com', 'a"\\b', "example.com"),
        (b'"plain"@example.com', "plain", "example.com"),
        (b'"a@b"@example.com', "a@b", "example.com"),
        (b"@a.example,@b.example:user@example.com", "user", "example.com"),
        (b"first..last.@example.com", "first..last.", "example.com"),
        (b"a+b=c/d!e%f@example.com", "a+b=c/d!e%f", "example.com"),
        (b"a@[192.0.2.1]", "a", "[192.0.2.1]"),
        (b"a@[ipv6:2001:DB8:0::1]", "a", "[IPv6:2001:db8::1]"),
        ("用户@例子.测试".encode(), "用户", "xn--fsqu00a.xn--0zwm56d"),
        ("a@BÜCHER.example".encode(), "a", "xn--bcher-kva.example"),
        (b"a@XN--BCHER-KVA.example", "a", "xn--bcher-kva.example"),
        ("a@ab--c.bücher.example".encode(), "a", "ab--c.xn--bcher-kva.example"),
        (b"a@my_host.example", "a", "my_host.example"),
        (b"a@localhost", "a", "localhost"),
        (b"x" * 64 + b"@y", "x" * 64, "y"),
    ],
)
def test_addresses_by_their_meaning(text: bytes, local: str, domain: str) -> None:
    assert parse_address(text) == Address(local, domain)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"@",
        b"alice",
        b"postmaster",
        b"@example.com",
        b"alice@",
        b'""@example.com',
        b'"open@example.com',
        b'"a"b@example.com',
        b"a b@example.com",
        b"a@b@example.com",
        b"a,b@example.com",
        b"<a@example.com>",
        b"a@exa mple.com",
        b"a@example..com",
        b"a@.example",
        b"a@example.com..",
        b"a@-example.com",
        b"a@" + b"x" * 64 + b".example",
        b"a@" + b"x." * 128 + b"example",
        b"x" * 65 + b"@example.com",
        "é".encode() * 33 + b"@example.com",
        b"a@[192.0.2.256]",
        b"a@[192.0.2.1",
        b"a@[IPv6:::1%eth0]",
        b"a@[]",
        b"a@[x:y]",
        b"a\r\nb@example.com",
        b'"a\r\nb"@example.com',
        b"a@example.com\r\nRCPT TO:<b@c>",
        b"a\0@example.com",
        b"\xff@example.com",
        "a\u2028b@example.com".encode(),
        "a@\u2028.example".encode(),
        "a@xn--\u00e9.example".encode(),
        b"@x:" * 2_000,
        b'"' + b"\\" * 1_500,
    ],
)
def test_what_is_no_address(text: bytes) -> None:
    with pytest.raises(AddressProblem):
        parse_address(text)


def test_postmaster_needs_no_domain_where_that_is_allowed() -> None:
    assert parse_address(b"PostMaster", allow_postmaster=True) == Address("postmaster", "")
    assert str(Address("postmaster", "")) == "postmaster"
    with pytest.raises(AddressProblem):
        parse_address(b"webmaster", allow_postmaster=True)


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (Address("a.b", "x"), "a.b@x"),
        (Address("a b", "x"), '"a b"@x'),
        (Address('a"\\', "x"), '"a\\"\\\\"@x'),
        (Address("a..b", "x"), '"a..b"@x'),
        (Address("用户", "x"), "用户@x"),
    ],
)
def test_quotes_are_written_where_they_are_needed(address: Address, text: str) -> None:
    assert str(address) == text


@given(locals_, st.lists(HOST_LABEL, min_size=1, max_size=4).map(".".join))
def test_an_address_reads_back_as_it_was_written(local: str, domain: str) -> None:
    if len(local.encode()) <= 64:
        address = Address(local, domain)
        assert parse_address(address.text().encode()) == address


@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: f"a@{text}.example".encode()))
def test_any_octets_are_an_address_or_a_problem(text: bytes) -> None:
    try:
        address = parse_address(text)
    except AddressProblem:
        return
    assert parse_address(str(address).encode()) == address
    assert str(address).isprintable()
