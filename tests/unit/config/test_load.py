"""One line says what is wrong: file, key, cure."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.config.load import load, parse, sections
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import LISTENERS, Config

ROOT = Path("/etc")

URL = 'database.url: write "sqlite" or "postgresql+asyncpg://USER:PASSWORD@HOST:PORT/NAME"'
PROBLEMS = {
    '[smtp]\ncomand_timeout = "5m"': "smtp.comand_timeout: unknown key; did you mean smtp.command_timeout?",
    "[pop3]\nmost_recipients = 100": "pop3.most_recipients: unknown key; did you mean smtp.most_recipients?",
    "[limits]\nqqq = 1": "limits.qqq: unknown key; [limits] has mime_parts, mime_depth, header_octets, most_mailboxes",
    "[smpt]": "smpt: unknown section; did you mean smtp?",
    "port = 25": "port: stands outside of every section; write it below its own, such as [smtp]",
    "smtp = 3": "smtp: is a section; write [smtp] and its keys below",
    "[[smtp]]\nport = 1": "smtp: is a section; write [smtp] and its keys below",
    '[smtp]\nport = "x"': "smtp.port: write a whole number",
    "[smtp]\nport = true": "smtp.port: write a whole number",
    "[smtp]\nport = 0": "smtp.port: 0 is too small; it must be at least 1",
    "[smtp]\nport = 65536": "smtp.port: 65536 is too large; it must be at most 65535",
    "[smtp]\nport = 143": "imap.port: 143 is the port of smtp, too; give one of them another",
    "[smtp]\ncommand_timeout = 300": 'smtp.command_timeout: write it like "30s", "5m" or "7d"',
    '[smtp]\ncommand_timeout = "0s"': "smtp.command_timeout: 0s is too small; it must be at least 1ms",
    '[smtp]\nmessage_octets = "50MB"': 'smtp.message_octets: write it like "64KiB", "50MiB" or a number of octets',
    "[smtp]\nmost_recipients = 99": "smtp.most_recipients: 99 is too small; it must be at least 100 (RFC 5321 section 4.5.3.1.8)",
    '[smtp]\nbare_newlines = "keep"': 'smtp.bare_newlines: write "refuse" or "normalise"',
    '[login]\nallow_plaintext = "yes"': "login.allow_plaintext: write true or false",
    "[server]\nhost = 3": 'server.host: write a text in quotes: "..."',
    '[server]\nhost = "a\\r\\nb"': 'server.host: "a\\x0d\\x0ab" is not a host name; write one such as mail.example.org',
    '[server]\nbind = "localhost"': 'server.bind: "localhost" is not an IP address; write one such as 127.0.0.1',
    '[server]\ndata = ""': 'server.data: write a path in quotes: "/..."',
    '[database]\nurl = "mysql://x"': URL,
    '[database]\nurl = "postgresql+asyncpg://me@host:port/name"': URL,
    '[database]\nurl = "postgresql+asyncpg://me@host:5432"': URL,
    '[database]\nurl = "postgresql+asyncpg://[::1/name"': URL,
    '[server]\nbind = "127.0.0.300"': 'server.bind: "127.0.0.300" is not an IP address; write one such as 127.0.0.1',
    '[server]\nbind = ""': 'server.bind: "" is not an IP address; write one such as 127.0.0.1',
    '[server]\nhost = "mail_1.example.org"': (
        'server.host: "mail_1.example.org" is not a host name; write one such as mail.example.org'
    ),
    "colour = 3": "colour: stands outside of every section",
    "[qqq]": f"qqq: unknown section; there are {', '.join(name for name, _ in sections(Config()))}",
    '[log]\nlevel = "loud"': 'log.level: write "debug" or "info" or "warning" or "error"',
    "[smtp]\nwithout = [1]": 'smtp.without: write a list of texts in quotes: ["...", "..."]',
    '[smtp]\nwithout = "SIZE"': 'smtp.without: write a list of texts in quotes: ["...", "..."]',
    "[smtp]\nmost_recipients = 1.5": "smtp.most_recipients: write a whole number",
    '[smtp]\nmessage_octets = "9999999TiB"': "smtp.message_octets: 9999999TiB is too large; write a smaller value",
    '[store]\nkeep_expunged = "99999d"': "store.keep_expunged: 99999d is too large; write a smaller value",
    "[smtp]\nport = 25\nport = 26\n": "is not TOML: Cannot overwrite a value (at line 3, column 10)",
    "[smtp]\nhost = mail.example.org": "is not TOML: Invalid value (at line 2, column 8)",
    "[smtp": "is not TOML: Expected ']' at the end of a table declaration (at end of document)",
}


@pytest.mark.parametrize(("text", "line"), PROBLEMS.items(), ids=list(PROBLEMS.values()))
def test_a_problem_is_one_line_with_file_key_and_cure(text: str, line: str) -> None:
    with pytest.raises(ConfigProblem) as caught:
        parse(text, "mailhost.toml", ROOT)
    assert str(caught.value).split() == f"mailhost.toml: {line}".split()
    assert "\n" not in str(caught.value)


@given(
    st.sampled_from([f"{name}.{key}" for name, table in sections(Config()) for key in table.__struct_fields__]),
    st.text()
    | st.sampled_from(["[1]", "[[]]", '["a", 1]', "{a = 1}", "1979-05-27", "nan", "-1", "true", '""', "1e400"]),
)
def test_whatever_is_set_is_taken_or_refused_by_name(name: str, value: str) -> None:
    try:
        parse("", "mailhost.toml", ROOT, [f"{name}={value}"])
    except ConfigProblem as problem:
        assert problem.source == "--set"
        assert problem.key == name or problem.key.endswith(".port")


OVERRIDES = {
    "smtp.port": "--set: smtp.port: write it as SECTION.KEY=VALUE, such as smtp.port=2525",
    "port=1": "--set: port=1: write it as SECTION.KEY=VALUE, such as smtp.port=2525",
    "smtp.prt=1": "--set: smtp.prt: unknown key; did you mean smtp.port?",
    "smtp.port=many": "--set: smtp.port: write a whole number",
    "smtp.port=0": "--set: smtp.port: 0 is too small; it must be at least 1",
    "smtp.port=1143": "--set: imap.port: 1143 is the port of smtp, too; give one of them another",
    "qqq.port=1": f"--set: qqq: unknown section; there are {', '.join(name for name, _ in sections(Config()))}",
    "server.bind=here": '--set: server.bind: "here" is not an IP address; write one such as 127.0.0.1',
    "log.level=loud": '--set: log.level: write "debug" or "info" or "warning" or "error"',
}


@pytest.mark.parametrize(("override", "line"), OVERRIDES.items())
def test_an_override_is_named_when_it_is_at_fault(override: str, line: str) -> None:
    with pytest.raises(ConfigProblem, match="--set") as caught:
        parse("", "mailhost.toml", ROOT, ["imap.port=1143", override])
    assert str(caught.value) == line


def test_an_override_is_a_toml_value_else_a_text() -> None:
    overrides = [
        "server.host=mx.example.org",
        "login.allow_plaintext=true",
        'smtp.data_timeout="7s"',
        "log.level=debug",
    ]
    config = parse('[server]\nhost = "other"', "mailhost.toml", ROOT, overrides)
    assert config.server.host == "mx.example.org"
    assert config.login.allow_plaintext
    assert config.smtp.data_timeout == timedelta(seconds=7)
    assert config.log.level == "debug"


def test_a_text_cannot_smuggle_in_another_key() -> None:
    config = parse("", "mailhost.toml", ROOT, ["database.url=sqlite"])
    with pytest.raises(ConfigProblem, match=r"log\.level: write"):
        parse("", "mailhost.toml", ROOT, ['log.level="debug"\nother = 1'])
    assert config.log.level == "info"


def test_two_overrides_may_swap_two_ports() -> None:
    config = parse("", "mailhost.toml", ROOT, ["smtp.port=587", "submission.port=25"])
    assert (config.smtp.port, config.submission.port) == (587, 25)


def test_the_real_ports_are_the_defaults() -> None:
    ports = [listener.port for listener in parse("", "mailhost.toml", ROOT).listeners.values()]
    assert ports == [25, 587, 465, 110, 995, 143, 993]
    assert len(ports) == len(LISTENERS)


def test_a_listener_that_is_disabled_is_not_listed() -> None:
    assert "pop3" not in parse("[pop3]\nenabled = false", "mailhost.toml", ROOT).listeners


def test_paths_count_from_the_file_and_from_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "mailhost.toml").write_text('[server]\ndata = "mail"\n[tls]\nkey = "/elsewhere/key"\n')
    config = load(tmp_path / "mailhost.toml")
    assert config.server.data == tmp_path / "mail"
    assert config.sqlite_path == tmp_path / "mail" / "mailhost.db"
    assert config.tls.certificate == tmp_path / "mail" / "tls" / "server.crt"
    assert config.tls.key == Path("/elsewhere/key")


def test_there_is_no_database_file_on_postgresql() -> None:
    assert parse('[database]\nurl = "postgresql+asyncpg://h/n"', "mailhost.toml", ROOT).sqlite_path is None


def test_a_file_that_windows_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "mailhost.toml").write_bytes(b"\xef\xbb\xbf[smtp]\r\nport = 26\r\n")
    assert load(tmp_path / "mailhost.toml").smtp.port == 26


@pytest.mark.parametrize(
    ("octets", "cure"), [(b"\xff", "is not written in UTF-8"), (b"#" * (2 << 20), "is not a file of settings")]
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, octets: bytes, cure: str) -> None:
    (tmp_path / "mailhost.toml").write_bytes(octets)
    with pytest.raises(ConfigProblem, match=cure):
        load(tmp_path / "mailhost.toml")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigProblem, match=r"no\.toml: no such file; name yours with --config PATH, or make one: mailhost setup"
    ):
        load(tmp_path / "no.toml")


@pytest.mark.parametrize(
    ("written", "cure"),
    [
        ("relay.retry_after=[]", "must not be empty"),
        ('relay.retry_after=["0s"]', "each must be at least 1s"),
        ('relay.retry_after=["1m", "x"]', 'write it like "30s", "5m" or "7d"'),
        ("relay.retry_after=5", 'write a list of durations: ["1m", "5m"]'),
        ('relay.rates={"a" = 0}', "each must be at least 1"),
        ('relay.rates={"a" = "x"}', 'write a table of numbers: {"..." = 60}'),
    ],
)
def test_lists_and_tables_say_what_they_hold(written: str, cure: str) -> None:
    with pytest.raises(ConfigProblem, match=re.escape(cure)):
        load(None, [written])
