"""`mailhost setup` makes a server that can be started, overwrites nothing, and finishes what was broken off."""

import io
import os
import stat
import sys
from pathlib import Path

import pytest
from cryptography import x509

from mailhost.cli import main
from mailhost.cli.authority import Folder, ensure, fingerprint
from mailhost.cli.setup.advice import records
from mailhost.config.load import load

IS_ROOT = os.geteuid() == 0
USER = ("--user", "root") if IS_ROOT else ()
ADDRESS = "you@example.org"


class Input(io.StringIO):
    """What stands on standard input, as text and as octets."""

    @property
    def buffer(self) -> io.BytesIO:
        return io.BytesIO(self.getvalue().encode())


def setup(place: Path, *arguments: str, given: str = "") -> int:
    words = ["setup", ADDRESS, "--config", str(place / "mailhost.toml"), "--data", str(place / "data"), *USER]
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit) as caught:
        patch.setattr(sys, "stdin", Input(given))
        main([*words, *arguments])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def contents(place: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in place.rglob("*") if path.is_file() and "mailhost.db" not in path.name}


def accounts(place: Path, capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["user", "list", "--config", str(place / "mailhost.toml")])
    return capsys.readouterr().out


def test_all_is_made_for_its_owner_alone_and_what_follows_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup(tmp_path) == 0
    said = capsys.readouterr().out
    config = load(tmp_path / "mailhost.toml")
    assert config.server.host == "mail.example.org"
    assert config.server.data == tmp_path / "data"
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.rglob("*") if path.suffix != ".crt"}
    assert not [path for path, mode in modes.items() if mode & 0o077]
    assert modes[tmp_path / "data"] == 0o700
    password = said.partition("  Password   ")[2].split()[0]
    assert len(password) == 19
    for wanted in (
        ADDRESS,
        "postmaster@example.org",
        f" run --config {tmp_path}/mailhost.toml",
        f" try {ADDRESS} --config {tmp_path}/mailhost.toml",
        "server localhost   port 993",
        str(tmp_path / "data" / "tls" / "ca.crt"),
        fingerprint(tmp_path / "data" / "tls" / "ca.crt"),
        "example.org.   MX   10 mail.example.org.",
        "mail.example.org.   A   (the public address of this server)",
        "loopback only",
        "smtp 25   submission 587   submissions 465",
    ):
        assert wanted in said
    assert accounts(tmp_path, capsys).split()[0] == ADDRESS
    assert password not in "".join(map(str, contents(tmp_path).values()))


def test_the_certificate_is_for_the_names_that_clients_try(tmp_path: Path) -> None:
    assert setup(tmp_path, "--host", "mx.example.net") == 0
    leaf = x509.load_pem_x509_certificate((tmp_path / "data" / "tls" / "server.crt").read_bytes())
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert {"mx.example.net", "imap.example.org", "localhost"} <= set(names.get_values_for_type(x509.DNSName))


def test_the_file_says_only_what_differs(tmp_path: Path) -> None:
    assert setup(tmp_path, "--bind", "0.0.0.0", "--set", 'imap.without=["IDLE"]') == 0
    text = (tmp_path / "mailhost.toml").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    own = ['user = "root"'] if IS_ROOT else []
    assert lines == [
        "[server]",
        'host = "mail.example.org"',
        f'data = "{tmp_path}/data"',
        'bind = "0.0.0.0"',
        *own,
        "[imap]",
        'without = ["IDLE"]',
    ]
    assert "mailhost config example" in text


def test_a_password_that_is_given_is_said_nowhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup(tmp_path, "--password-stdin", given="correct horse\n") == 0
    said = capsys.readouterr()
    assert "correct horse" not in said.out + said.err
    assert "Password" not in said.out


def test_what_is_there_is_named_and_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert setup(tmp_path) == 0
    before = contents(tmp_path)
    capsys.readouterr()
    assert setup(tmp_path) == 73
    assert capsys.readouterr().err == (
        f"mailhost: {ADDRESS} is there already, and setup overwrites nothing; "
        "all is set up; `mailhost run` starts the server, `mailhost user` changes the account\n"
    )
    assert setup(tmp_path, "--host", "other.example.org") == 73
    assert f"{tmp_path}/mailhost.toml is there already, and setup overwrites nothing" in capsys.readouterr().err
    (tmp_path / "mailhost.toml").rename(tmp_path / "away")
    assert setup(tmp_path) == 73
    assert f"{tmp_path}/data is there already, and setup overwrites nothing; name another folder" in (
        capsys.readouterr().err
    )
    (tmp_path / "away").rename(tmp_path / "mailhost.toml")
    assert contents(tmp_path) == before


def test_an_empty_folder_is_taken_and_closed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir(mode=0o755)
    assert setup(tmp_path) == 0
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


STEPS = [
    "mailhost.cli.setup.command.write",
    "mailhost.cli.authority._sign",
    "mailhost.cli.office.list_accounts",
    "mailhost.cli.office.add_accounts",
]


@pytest.mark.parametrize("step", STEPS)
def test_what_was_broken_off_is_finished_by_a_second_call(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    with monkeypatch.context() as patch:
        patch.setattr(step, full)
        assert setup(tmp_path) == 75
    made = contents(tmp_path)
    assert setup(tmp_path) == 0
    after = contents(tmp_path)
    assert {path: after[path] for path in made if "run" not in path.parts} == {
        path: octets for path, octets in made.items() if "run" not in path.parts
    }
    assert accounts(tmp_path, capsys).split()[0] == ADDRESS


def test_a_certificate_of_ones_own_is_used_where_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = Folder(tmp_path / "own")
    ensure(own, ["mail.example.org"])
    assert setup(tmp_path, "--certificate", str(own.certificate), "--key", str(own.key)) == 0
    config = load(tmp_path / "mailhost.toml")
    assert (config.tls.certificate, config.tls.key) == (own.certificate, own.key)
    assert not (tmp_path / "data" / "tls").exists()
    assert fingerprint(own.certificate) in capsys.readouterr().out


REFUSED = [
    (("--host", "a_b"), 78, 'server.host: "a_b" is not a host name; write one such as mail.example.org'),
    (("--bind", "here"), 78, 'server.bind: "here" is not an IP address; write one such as 127.0.0.1'),
    (("--set", "smtp.prt=1"), 78, "--set: smtp.prt: unknown key; did you mean smtp.port?"),
    (("--certificate", "x"), 64, "give --certificate and --key together, or neither"),
    (("--certificate", "/no/c", "--key", "/no/k"), 78, "tls.certificate: /no/c cannot be read: No such file"),
    (("--password-stdin",), 65, "the password is empty"),
    (("--set", 'tls.key="/no/k"'), 78, "data/tls/server.crt cannot be read: No such file"),
    (("--user", "no-such-user"), 78, "server.user: there is no user no-such-user here; make one: adduser --system"),
    (("--user", ""), *((64, "name the user that the server shall become") if IS_ROOT else (0, ""))),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "code", "line"), REFUSED, ids=[" ".join(each[0]) for each in REFUSED])
def test_what_cannot_be_is_refused_before_anything_is_made(
    tmp_path: Path, arguments: tuple[str, ...], code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert setup(tmp_path, *arguments) == code
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") <= 1
    assert bool(list(tmp_path.iterdir())) == (code == 0)


def test_an_address_that_is_none_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["setup", "example.org", "--config", str(tmp_path / "m"), "--data", str(tmp_path / "d"), *USER])
    assert caught.value.code == 65
    assert capsys.readouterr().err == (
        "mailhost: 'example.org': an address needs a domain; write it like you@example.org\n"
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("bind", "record"),
    [
        ("203.0.113.5", "  m.example.   A   (the public address of this server)"),  # for documentation only
        ("1.2.3.4", "  m.example.   A   1.2.3.4"),
        ("2a00::1", "  m.example.   AAAA   2a00::1"),
        ("10.0.0.1", "  m.example.   A   (the public address of this server)"),
        ("::", "  m.example.   A   (the public address of this server)"),
    ],
)
def test_an_address_that_others_reach_stands_in_its_record(bind: str, record: str) -> None:
    assert list(records("example", "m.example", bind))[1] == record
