"""What a command reads, asks and shows."""

import io
import sys

import pytest

from mailhost.administration.removal import Deleted
from mailhost.cli.asking import confirm, counted, parsed, parsed_domain, password_for, shown
from mailhost.cli.exits import EX_DATAERR, EX_USAGE, Failure
from mailhost.cli.table import columns, width
from mailhost.cli.user.delete import told
from mailhost.message.address import Address, parse_domain, readable


class Pipe(io.TextIOWrapper):
    """Standard input that is no terminal."""

    def __init__(self, octets: bytes) -> None:
        super().__init__(io.BytesIO(octets))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("bob@example.org", Address("bob", "example.org")),
        (" Bob@EXAMPLE.org ", Address("Bob", "example.org")),
        ("bob+tag@example.org", Address("bob+tag", "example.org")),
        ("小@例.cn", Address("小", "xn--fsq.cn")),
        ('"a b"@example.org', Address("a b", "example.org")),
    ],
)
def test_an_address_is_read_as_people_write_it(written: str, meant: Address) -> None:
    assert parsed(written) == meant


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("", "nothing was given: an address needs a domain; write NAME@DOMAIN"),
        ("bob", "bob: an address needs a domain; write NAME@DOMAIN"),
        ("@example.org", "@example.org: the local part is empty; write NAME@DOMAIN"),
        ("bob@", "bob@: the domain is not a name; write NAME@DOMAIN"),
        ("bob@exa mple", "bob@exa mple: the domain is not a name; write NAME@DOMAIN"),
        ("bob@x\x1b[31m\n", "bob@x?[31m: the domain is not a name; write NAME@DOMAIN"),
        ("\udcff@example.org", "?@example.org: an address must be UTF-8; write NAME@DOMAIN"),
    ],
)
def test_what_is_no_address_is_repeated_with_the_reason_in_one_line(written: str, line: str) -> None:
    with pytest.raises(Failure) as caught:
        parsed(written)
    assert (caught.value.message, caught.value.code) == (line, EX_DATAERR)


@pytest.mark.parametrize(
    ("written", "line"),
    [
        ("", "nothing was given: the domain is not a name; write it as in example.org"),
        ("bob@example.org", "bob@example.org: the domain is not a name; give what stands after the @"),
        ("exa mple", "exa mple: the domain is not a name; write it as in example.org"),
    ],
)
def test_what_is_no_domain_likewise(written: str, line: str) -> None:
    with pytest.raises(Failure) as caught:
        parsed_domain(written)
    assert caught.value.message == line
    assert parsed_domain(" EXAMPLE.org. ") == "example.org"


@pytest.mark.parametrize("name", ["例.cn", "bücher.example", "example.org", "xn--a.example", "faß.de"])
def test_a_domain_is_shown_as_people_write_it(name: str) -> None:
    kept = parse_domain(name)
    assert kept.isascii()
    assert readable(kept) == name
    assert readable(f"小@{kept}") == f"小@{name}"


def test_a_password_comes_from_a_pipe_only_when_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(b"secret\nmore\n"))
    with pytest.raises(Failure, match="--password-stdin") as caught:
        password_for("bob@example.org", False)
    assert caught.value.code == EX_USAGE
    assert password_for("bob@example.org", True) == "secret"


def test_what_cannot_be_undone_needs_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Pipe(b"y\n"))
    with pytest.raises(Failure, match="say --yes") as caught:
        confirm("Delete all?")
    assert caught.value.code == EX_USAGE


def test_columns_stand_below_each_other_in_chinese_too() -> None:
    rows = [("N", "NAME", "USE"), ("10", "收件箱", ""), ("7", "e\u0301te\u0301", "x")]
    assert list(columns(rows, right=[0])) == [" N  NAME    USE", "10  收件箱", " 7  e\u0301te\u0301     x"]
    assert list(columns([])) == []
    assert [width(each) for each in ("abc", "收件箱", "e\u0301")] == [3, 6, 1]


def test_what_went_with_an_account_is_told_in_one_line() -> None:
    everything = Deleted("小@xn--fsq.cn", 1234, ("sales@example.org", "postmaster@example.org"), 1)
    assert told(everything) == (
        "小@例.cn: deleted with 1,234 messages; 1 message that waited for it cancelled;"
        " no longer named by sales@example.org, postmaster@example.org"
    )
    assert told(Deleted("a@b.example", 1)) == "a@b.example: deleted with 1 message"
    assert counted(2, "mailbox", "mailboxes") == "2 mailboxes"
    assert shown(" a\tb ") == "a?b"
