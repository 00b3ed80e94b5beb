"""Every way out is a code of sysexits.h with one line, never a traceback."""

import errno
import importlib
import io
import json
from pathlib import Path

import click
import pytest

from mailhost import __version__
from mailhost.administration.running import AlreadyRuns
from mailhost.cli import COMMANDS, main, program
from mailhost.cli.asking import LONGEST_PASSWORD, read_password
from mailhost.cli.authority import Folder, ensure
from mailhost.cli.exits import EX_DATAERR, Failure, verdict
from mailhost.cli.exits import PROBLEMS as PROBLEMS_BY_NAME
from mailhost.cli.user.add import read_pairs
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import TLS
from mailhost.database.errors import CommitFailed, DatabaseUnsafe, SchemaTooNew
from mailhost.transport.certificate import check as check_certificate
from mailhost.transport.ports import PortBusy, PortForbidden


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert isinstance(caught.value.code, int)
    return caught.value.code


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--version") == 0
    assert capsys.readouterr().out == f"mailhost {__version__}\n"


def test_help_lists_each_command_but_the_hidden_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("--help") == 0
    said = capsys.readouterr().out
    assert all(f"\n  {name} " in said for name in COMMANDS if name != "quickstart")
    assert "quickstart" not in said


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_of_the_table_is_there(name: str) -> None:
    assert program.get_command(click.Context(program), name) is not None


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run", "--nonsense"),
        ("user", "add"),
        ("user", "add", "--password-stdin"),
        ("user", "delete"),
        ("user", "passwd"),
        ("alias", "add", "sales@example.org"),
        ("mailbox", "list"),
        ("deliver",),
        ("user", "add", "alice@example.org", "--lines"),
        ("user", "add", "--lines", "--password-stdin"),
        ("quickstart", "--ports", "many"),
    ],
)
def test_a_wrong_command_line_is_64(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(*arguments) == 64
    said = capsys.readouterr().err
    assert "Error: " in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "command", [("run",), ("config", "check"), ("config", "show"), ("user", "list"), ("domain", "list")]
)
def test_wrong_settings_are_78_and_one_line(
    command: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mailhost.toml"
    file.write_text("[smtp]\nprt = 1\n")
    assert ended(*command, "--config", str(file)) == 78
    assert capsys.readouterr().err == "mailhost: mailhost.toml: smtp.prt: unknown key; did you mean smtp.port?\n"


def test_settings_are_shown_with_their_defaults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "mailhost.toml"
    file.write_text("[smtp]\nport = 26\n")
    assert ended("config", "show", "--config", str(file), "--set", "pop3.port=27") == 0
    said = capsys.readouterr().out
    assert "[smtp]\nenabled = true\nport = 26  # default: 25\n" in said
    assert "[pop3]\nenabled = true\nport = 27  # default: 110\n" in said
    assert ended("config", "show", "--config", str(file), "--json") == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [each["value"] for each in told if each["differs"]] == [26]


PROBLEMS: list[tuple[Exception, str, int]] = [
    (ConfigProblem("a.toml", "b.c", "d"), "a.toml: b.c: d", 78),
    (SchemaTooNew("too new"), "too new", 78),
    (DatabaseUnsafe("unsafe"), "unsafe", 78),
    (CommitFailed("busy"), "busy", 75),
    (OSError(errno.EADDRINUSE, "Address already in use"), "Address already in use", 75),
    (
        PermissionError(errno.EACCES, "Permission denied", "/x"),
        "/x: Permission denied; run as the user that it belongs to, or choose another folder (server.data; scripts/run --data)",
        77,
    ),
    (PortBusy("a.toml", "smtp.port", "taken"), "a.toml: smtp.port: taken", 75),
    (PortForbidden("a.toml", "smtp.port", "below 1024"), "a.toml: smtp.port: below 1024", 77),
    (AlreadyRuns("a.toml", "server.data", "runs"), "a.toml: server.data: runs", 75),
    (OSError(errno.EIO, "Input/output error", "/x"), "/x: Input/output error", 74),
    (Failure("no", EX_DATAERR), "no", 65),
    (
        ConnectionRefusedError(111, "Connect call failed"),
        "the database cannot be reached: [Errno 111] Connect call failed",
        75,
    ),
    (
        ModuleNotFoundError("", name="asyncpg"),
        'database.url: PostgreSQL needs asyncpg; pip install "mailhost[postgresql]"',
        78,
    ),
    (RuntimeError("x"), "a fault of ours: RuntimeError('x') (MAILHOST_TRACEBACK=1 shows where)", 70),
]


@pytest.mark.parametrize(("problem", "line", "code"), PROBLEMS, ids=[line for _, line, _ in PROBLEMS])
def test_a_problem_has_its_line_and_its_code(problem: Exception, line: str, code: int) -> None:
    assert verdict(problem) == (line, code)


@pytest.mark.parametrize("name", PROBLEMS_BY_NAME)
def test_each_problem_of_the_table_is_there_under_its_name(name: str) -> None:
    module, _, kind = name.rpartition(".")
    assert issubclass(getattr(importlib.import_module(module), kind), Exception)


def test_a_problem_s_first_line_is_enough() -> None:
    from sqlalchemy.exc import OperationalError

    problem = OperationalError("SELECT secret", {}, Exception("unable to open database file"))
    assert verdict(problem) == ("the database: (builtins.Exception) unable to open database file", 75)


def make_certificate(folder: Path) -> TLS:
    tls = Folder(folder)
    ensure(tls, ["localhost"])
    return TLS(certificate=tls.certificate, key=tls.key)


def test_a_certificate_with_its_key_is_taken(tmp_path: Path) -> None:
    check_certificate(make_certificate(tmp_path))


@pytest.mark.parametrize("name", ["server.crt", "server.key"])
def test_a_certificate_or_key_that_is_missing_is_named(tmp_path: Path, name: str) -> None:
    tls = make_certificate(tmp_path)
    (tmp_path / name).unlink()
    with pytest.raises(
        ConfigProblem, match=rf"tls\.[a-z]+: .*/{name} cannot be read: No such file .*; put your own there"
    ):
        check_certificate(tls)


def test_a_key_of_another_certificate_is_refused(tmp_path: Path) -> None:
    one, other = make_certificate(tmp_path / "one"), make_certificate(tmp_path / "other")
    with pytest.raises(ConfigProblem, match=r"tls\.key: .*server\.key is not the key of this certificate"):
        check_certificate(TLS(certificate=one.certificate, key=other.key))


def test_lines_are_addresses_with_passwords() -> None:
    source = io.BytesIO("# people\nalice@example.org secret\r\n\nbob@example.org with space \n小@例.cn 密码\n".encode())
    assert read_pairs(source) == [
        ("alice@example.org", "secret"),
        ("bob@example.org", "with space "),
        ("小@例.cn", "密码"),
    ]


@pytest.mark.parametrize(
    ("octets", "line"),
    [
        (b"a@b c\nalice@example.org\n", "line 2: write ADDRESS PASSWORD, one space between them; no account was added"),
        (b"a@b \xff\n", "line 1: the password is not written in UTF-8"),
        (b"\xff@b c\n", "line 1 is not written in UTF-8"),
        (b"a@b " + b"x" * (LONGEST_PASSWORD + 1), "line 1: the password is longer than 1024 octets"),
    ],
)
def test_a_line_that_is_wrong_is_named_without_its_password(octets: bytes, line: str) -> None:
    with pytest.raises(Failure) as caught:
        read_pairs(io.BytesIO(octets))
    assert (caught.value.message, caught.value.code) == (line, EX_DATAERR)


def test_a_password_is_the_first_line_and_not_empty() -> None:
    assert read_password(io.BytesIO(b" a b \r\nmore\n")) == " a b "
    with pytest.raises(Failure, match="the password is empty"):
        read_password(io.BytesIO(b"\n"))
