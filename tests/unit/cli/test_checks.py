"""`mailhost config check` finds what would stop the start, in one line each: file, key, cure."""

import os
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mailhost.administration.running import AlreadyRuns, check_alone, hold
from mailhost.cli import main
from mailhost.cli.authority import Folder, ensure
from mailhost.config.settings import LISTENERS
from mailhost.transport import user
from mailhost.transport.ports import begin, bind
from mailhost.transport.user import own_name

IS_ROOT = os.geteuid() == 0
HOST = "mail.example.org"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder whose settings and certificate are well; imap alone listens, on a port that is free."""
    ensure(Folder(tmp_path / "tls"), [HOST])
    with bind("imap", "127.0.0.1", 0) as lent:
        port = lent.getsockname()[1]
    others = "".join(f"[{name}]\nenabled = false\n" for name in LISTENERS if name != "imap")
    own = 'user = "root"\n' if IS_ROOT else ""
    (tmp_path / "mailhost.toml").write_text(
        f'[server]\nhost = "{HOST}"\ndata = "."\nopen_files = 4300\n{own}[imap]\nport = {port}\n{others}'
    )
    return tmp_path


def check(place: Path, *overrides: str) -> int:
    words = [word for each in overrides for word in ("--set", each)]
    with pytest.raises(SystemExit) as caught:
        main(["config", "check", "--config", str(place / "mailhost.toml"), *words])
    assert isinstance(caught.value.code, int)
    return caught.value.code


def port_of(place: Path) -> int:
    return int((place / "mailhost.toml").read_text().partition("[imap]\nport = ")[2].split()[0])


def test_what_is_well_is_said_to_be_well(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(place) == 0
    said = capsys.readouterr()
    assert said.out == f"{place}/mailhost.toml: no problem found\n"
    assert said.err == ""


FOUND = {
    'imap.without=["NOSUCH"]': "imap.without: NOSUCH is no extension here; there are ",
    'tls.certificate="/no/such"': "tls.certificate: /no/such cannot be read: No such file or directory; put your own there, or set",
    'tls.key="/no/such"': "tls.key: /no/such cannot be read: No such file or directory; put your own there, or set where it is",
    'tls.certificate="tls/server.key"': "tls.certificate: {place}/tls/server.key is not a certificate in PEM",
    'tls.key="tls/ca.key"': "tls.key: {place}/tls/ca.key is not the key of this certificate; it must be in PEM, without a",
    'server.data="mailhost.toml"': "server.data: {place}/mailhost.toml is not a folder; name one, or a place where one can be made",
    'server.data="mailhost.toml/mail"': "server.data: {place}/mailhost.toml/mail cannot be made in {place}/mailhost.toml by ",
    'server.bind="192.0.2.1"': "server.bind: cannot listen on 192.0.2.1 port {port}: Cannot assign requested address; set an address",
    "server.open_files=2000000000": "server.open_files: 2000000000 are wanted, the system allows ",
    'server.user="no-such-user"': "server.user: there is no user no-such-user here; make one: adduser --system --group no-such-user",
}


@pytest.mark.parametrize(("override", "line"), FOUND.items(), ids=list(FOUND))
def test_what_would_stop_the_start_is_one_line_with_key_and_cure(
    place: Path, override: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    keep = [f'tls.{key}="{place}/tls/server.{end}"' for key, end in (("certificate", "crt"), ("key", "key"))]
    assert check(place, *keep, override) == 78
    said = capsys.readouterr().err
    wanted = "mailhost: mailhost.toml: " + line.format(place=place, port=port_of(place))
    (found,) = [each for each in said.splitlines() if not each.startswith("mailhost: warning: ")]
    assert found.startswith(wanted)


def test_all_that_is_wrong_is_said_at_once(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "tls" / "server.key").unlink()
    with bind("imap", "127.0.0.1", port_of(place)) as other:
        begin("imap", other)
        assert check(place) == 78
    said = capsys.readouterr().err.splitlines()
    assert [line.split(": ")[2] for line in said] == ["tls.key", "imap.port"]


@pytest.fixture
def other(place: Path) -> Iterator[socket.socket]:
    """Somebody who listens on the port."""
    with bind("imap", "127.0.0.1", port_of(place)) as one:
        begin("imap", one)
        yield one


@pytest.mark.usefixtures("other")
def test_a_port_that_is_held_is_named_unless_our_own_server_holds_it(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check(place) == 78
    line = f"mailhost: mailhost.toml: imap.port: cannot listen on 127.0.0.1 port {port_of(place)}: Address already in use; "
    assert capsys.readouterr().err.startswith(line)
    held = hold(place, 0)
    try:
        assert check(place) == 78  # it runs, but does not say that it has this port
        held.serves("127.0.0.1", {"imap": port_of(place)})
        assert check(place) == 0
    finally:
        held.close()
    assert check(place) == 78


def test_a_second_server_on_one_folder_hears_of_the_first(tmp_path: Path) -> None:
    check_alone(tmp_path, 0)
    assert not list(tmp_path.iterdir())
    held = hold(tmp_path, 0)
    line = rf"server\.data: a server on {tmp_path} already runs \(pid {os.getpid()}\); end it, or use another folder"
    for look in (check_alone, hold):
        with pytest.raises(AlreadyRuns, match=line):
            look(tmp_path, 0)
    check_alone(tmp_path, 1)
    held.close()
    hold(tmp_path, 0).close()


def test_a_server_that_was_killed_is_not_taken_for_one_that_runs(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "server-0").write_text('{"pid": 1, "bind": "127.0.0.1", "ports": {}}')
    check_alone(tmp_path, 0)
    hold(tmp_path, 0).close()


@pytest.mark.parametrize(
    ("ago", "names", "override", "line"),
    [
        (398, [HOST], "", "tls.certificate: {place}/own/server.crt ended on "),
        (390, [HOST], "", "tls.certificate: {place}/own/server.crt ends on "),
        (0, ["localhost", "127.0.0.1"], "", f"tls.certificate: {{place}}/own/server.crt is for localhost, 127.0.0.1, not for server.host {HOST}"),
        (0, [HOST], "server.open_files=4000", "server.open_files: 4000 is too few for 4000 connections, which the listeners allow together; raise it to 4200,"),
    ],
)  # fmt: skip
def test_what_the_server_starts_with_in_vain_is_a_warning(
    place: Path, ago: int, names: list[str], override: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    own = Folder(place / "own")
    ensure(own, names, datetime.now(UTC) - timedelta(days=ago))
    given = (f'tls.certificate="{own.certificate}"', f'tls.key="{own.key}"')
    assert check(place, *given, *([override] if override else [])) == 0
    (said,) = capsys.readouterr().err.splitlines()
    assert said.startswith("mailhost: warning: mailhost.toml: " + line.format(place=place))


def test_the_folder_is_looked_at_with_the_eyes_of_the_server_s_user(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Root would be let in anywhere, and the server will not be root."""
    name, setting = ("nobody", ['server.user="nobody"']) if IS_ROOT else (own_name(), [])
    place.chmod(0o500)
    monkeypatch.setattr(user, "_check_readable", lambda _: None)  # that is another matter: where Python is
    assert check(place, *setting) == 78
    line = f"mailhost: mailhost.toml: server.data: {place} cannot be written by {name}; run `mailhost setup`, or let it belong to {name}: chown"
    assert capsys.readouterr().err.startswith(line)
    assert (os.geteuid() == 0) == IS_ROOT


def test_a_key_that_only_root_may_read_is_a_warning(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As certbot leaves it. Whoever is not root could not even start with it."""
    monkeypatch.setattr(user, "_check_readable", lambda _: None)
    if not IS_ROOT:
        (place / "tls" / "server.key").chmod(0)
        assert check(place) == 78
        line = f"mailhost: mailhost.toml: tls.key: {place}/tls/server.key cannot be read: Permission denied; let {own_name()} read it\n"
        assert capsys.readouterr().err == line
        return
    check(place, 'server.user="nobody"')
    said = capsys.readouterr().err
    assert f"mailhost: warning: mailhost.toml: tls.key: {place}/tls/server.key cannot be read by nobody: SIGHUP" in said


@pytest.mark.parametrize("command", [("config", "check"), ("run",)])
def test_root_says_whom_it_becomes_and_others_become_nobody(
    place: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = "" if IS_ROOT else "root"
    with pytest.raises(SystemExit) as caught:
        main([*command, "--config", str(place / "mailhost.toml"), "--set", f'server.user="{wanted}"'])
    assert caught.value.code == 78
    refused = (
        'the server does not run as root: set the user it is to become, such as user = "mailhost" ("root" stays root)'
    )
    other = f"{own_name()} cannot become root: start the server as root, or leave this setting out"
    said = capsys.readouterr().err
    assert said.startswith(f"mailhost: mailhost.toml: server.user: {refused if IS_ROOT else other}\n")
