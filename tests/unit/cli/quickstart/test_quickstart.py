"""What scripts/run sets up before it serves."""

import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailhost.cli import main
from mailhost.cli.authority import names
from mailhost.cli.exits import EX_TEMPFAIL, Failure
from mailhost.cli.quickstart import sample, settings
from mailhost.cli.quickstart.command import prepare
from mailhost.cli.quickstart.greeting import greeting
from mailhost.config.load import load
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import LISTENERS
from mailhost.transport.ports import PortBusy


def ports_of(path: Path) -> list[int]:
    return [listener.port for listener in load(path).listeners.values()]


def test_the_first_plan_has_consecutive_ports_and_loopback(tmp_path: Path) -> None:
    planned = settings.plan(tmp_path, None, [])
    assert [listener.port for listener in planned.config.listeners.values()] == list(range(2525, 2532))
    assert planned.config.server.bind == "127.0.0.1"
    assert planned.config.server.data == tmp_path
    assert not planned.path.exists()


def test_overrides_are_written_and_stay_with_the_person_s_own_lines(tmp_path: Path) -> None:
    settings.plan(
        tmp_path, 4000, ["login.allow_plaintext=true", "server.host=mx.example.net", 'imap.without=["IDLE", "MOVE"]']
    ).write()
    file = tmp_path / "mailhost.toml"
    file.write_text(file.read_text() + '\n[log]\nlevel = "debug"  # mine\n')
    settings.plan(tmp_path, None, ["smtp.port=4100"]).write()
    config = load(file)
    assert config.login.allow_plaintext
    assert config.server.host == "mx.example.net"
    assert config.imap.without == ("IDLE", "MOVE")
    assert ports_of(file) == [4100, *range(4001, 4007)]
    assert '[log]\nlevel = "debug"  # mine\n' in file.read_text()


def test_a_bad_override_changes_nothing(tmp_path: Path) -> None:
    settings.plan(tmp_path, 4000, []).write()
    before = (tmp_path / "mailhost.toml").read_text()
    with pytest.raises(ConfigProblem, match=r"--set: smtp\.prt: unknown key"):
        settings.plan(tmp_path, 5000, ["smtp.prt=1"])
    assert (tmp_path / "mailhost.toml").read_text() == before


@pytest.mark.parametrize("base", [0, -1, 65_530, 99_999])
def test_a_base_without_room_for_seven_ports_is_refused(tmp_path: Path, base: int) -> None:
    with pytest.raises(Failure, match="choose a base from 1 to 65529"):
        settings.plan(tmp_path, base, [])


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody else holds."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_busy_port_ends_with_75_and_nothing_is_made(
    tmp_path: Path, taken: int, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    with pytest.raises(SystemExit) as caught:
        main(["quickstart", "--data", str(data), "--ports", str(taken)])
    assert caught.value.code == 75
    assert capsys.readouterr().err == (
        f"mailhost: smtp.port: cannot listen on 127.0.0.1 port {taken}: Address already in use; "
        "end what listens there, or set another port, such as scripts/run --ports BASE\n"
    )
    assert not data.exists()


@pytest.mark.parametrize("name", LISTENERS)
def test_a_busy_port_is_named_with_its_listener(tmp_path: Path, taken: int, name: str) -> None:
    others = [f"{other}.enabled=false" for other in LISTENERS if other != name]
    config = settings.plan(tmp_path, None, [f"{name}.port={taken}", *others]).config
    with pytest.raises(PortBusy, match=rf"{name}\.port: .* port {taken}: "):
        settings.check_ports(config)


def test_a_folder_is_made_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    first = prepare(data, planned := settings.plan(data, 4000, []))
    planned.write()
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE((data / name).stat().st_mode) for name in (settings.FILE, sample.FILE)} == {0o600}
    before = {path: path.read_bytes() for path in data.rglob("*") if path.is_file()}
    assert prepare(data, settings.plan(data, None, [])) == first
    assert {path: path.read_bytes() for path in data.rglob("*") if path.is_file()} == before


def test_settings_that_stop_the_start_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.plan(tmp_path, 4000, []).write()
    before = (tmp_path / settings.FILE).read_text()

    def refuse(*_: object, **__: object) -> int:
        raise Failure("no", EX_TEMPFAIL)

    monkeypatch.setattr("mailhost.cli.quickstart.command.serve", refuse)
    monkeypatch.setattr(sample, "add_accounts", lambda *_: None)
    monkeypatch.setattr(settings, "check_ports", lambda _: None)
    with pytest.raises(SystemExit) as ended:
        main(["quickstart", "--data", str(tmp_path), "--ports", "5000", "--set", "log.level=debug"])
    assert ended.value.code == EX_TEMPFAIL
    assert (tmp_path / settings.FILE).read_text() == before


def test_two_folders_have_two_passwords(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    assert sample.password(tmp_path / "a") == sample.password(tmp_path / "a") != sample.password(tmp_path / "b")
    assert len(sample.password(tmp_path / "a")) == 19


def test_the_server_s_names_are_those_that_clients_guess() -> None:
    assert names("mx.example.net", "example.org") == [
        "localhost",
        "mx.example.net",
        "mail.example.org",
        "imap.example.org",
        "pop.example.org",
        "smtp.example.org",
        "127.0.0.1",
        "::1",
    ]


def test_the_greeting_fits_one_screen_and_says_all(tmp_path: Path) -> None:
    ports = dict(zip(LISTENERS, range(2525, 2532), strict=True))
    accounts = dict.fromkeys(sample.ADDRESSES, "abcd-efgh")
    text = greeting(ports, accounts, tmp_path / "ca.crt", "AB:CD", "127.0.0.1", trial="mailhost try")
    assert text.count("\n") <= 24
    places = [
        text.index(word) for word in ("Ports", "Accounts", "Password", "CA", "SHA-256", "To type", "One line to try")
    ]
    assert places == sorted(places)
    for wanted in (
        "  mailhost try\n",
        "--set login.allow_plaintext=true",
        "docs/lab.md",
        "abcd-efgh",
        *sample.ADDRESSES,
        str(tmp_path / "ca.crt"),
        "AB:CD",
        "SPA off",
        "SSL/TLS",
    ):
        assert wanted in text
    for name, port in ports.items():
        assert f"{name} {port}" in text
    assert "port 2531   SSL/TLS" in text


def test_the_greeting_leaves_out_what_is_disabled(tmp_path: Path) -> None:
    text = greeting({"imaps": 993}, dict.fromkeys(sample.ADDRESSES, "x"), tmp_path, "AB", "127.0.0.1", trial="x")
    assert "port 993" in text
    assert "POP3" not in text


def test_the_greeting_says_whether_a_password_may_go_in_clear(tmp_path: Path) -> None:
    accounts = dict.fromkeys(sample.ADDRESSES, "x")
    text = greeting({}, accounts, tmp_path, "AB", "127.0.0.1", trial="x", plaintext=True)
    assert "login.allow_plaintext is true" in text
    assert "--set" not in text
