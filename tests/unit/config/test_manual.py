"""etc/mailhost.toml is made from the declarations, and loads."""

import re
from pathlib import Path

import pytest

from mailhost.config.load import load, parse, sections
from mailhost.config.manual import dump, example, to_toml, values
from mailhost.config.settings import Config

FILE = Path(__file__).parents[3] / "etc" / "mailhost.toml"
TABLES = list(sections(Config()))
DEFAULT = parse("", "", Path("/"))


def uncommented(text: str) -> str:
    return re.sub(r"(?m)^# (?=\w+ = )", "", text)


def test_the_file_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == example(), "run scripts/settings"


def test_the_file_loads_and_changes_nothing() -> None:
    assert load(FILE) == DEFAULT


def test_each_line_that_is_uncommented_says_the_default() -> None:
    text = uncommented(example())
    assert parse(text, "", Path("/")) == DEFAULT
    assert text.count(" = ") >= sum(len(table.__struct_fields__) for _, table in TABLES)


@pytest.mark.parametrize(("name", "table"), TABLES, ids=[name for name, _ in TABLES])
def test_each_setting_has_its_reason_and_its_unit(name: str, table: object) -> None:
    text = example().partition(f"\n[{name}]\n")[2].partition("\n[")[0]
    for paragraph in text.strip().split("\n\n")[: len(table.__struct_fields__)]:  # type: ignore[attr-defined]  # a section
        *reason, setting = paragraph.split("\n")[: paragraph.count("\n# ") + 1]
        words = " ".join(reason)
        assert len(words) > 15, setting
        assert words.endswith("]"), setting


def test_settings_that_are_shown_give_the_same_settings() -> None:
    text = '[smtp]\nport = 26\n[login]\nfailure_delay = "0s"\n[database]\nurl = "postgresql+asyncpg://h/n"\n'
    config = parse(text, "", Path("/"))
    assert parse(dump(config), "", Path("/")) == config


def test_what_differs_from_the_default_is_marked_and_reads_back() -> None:
    config = parse('[smtp]\nport = 26\nwithout = ["SIZE"]\n[log]\nlevel = "debug"\n', "", Path("/"))
    text = dump(config, DEFAULT)
    assert [line for line in text.splitlines() if "#" in line] == [
        "port = 26  # default: 25",
        'without = ["SIZE"]  # default: []',
        'level = "debug"  # default: "info"',
    ]
    assert parse(text, "", Path("/")) == config


def test_programs_are_told_each_setting_with_its_default() -> None:
    config = parse(
        '[smtp]\nmessage_octets = "1MiB"\n[database]\nurl = "postgresql+asyncpg://me:s@h/n"\n', "", Path("/")
    )
    told = {(each["section"], each["key"]): each for each in values(config, DEFAULT)}
    assert len(told) == sum(len(table.__struct_fields__) for _, table in TABLES)
    assert told["smtp", "message_octets"] == {
        "section": "smtp", "key": "message_octets", "value": "1MiB", "default": "50MiB", "differs": True
    }  # fmt: skip
    assert told["database", "url"]["value"] == "postgresql+asyncpg://me:...@h/n"
    assert [key for key, each in told.items() if each["differs"]] == [("database", "url"), ("smtp", "message_octets")]


def test_a_password_is_never_shown() -> None:
    config = parse('[database]\nurl = "postgresql+asyncpg://me:s@cr:et@host/name"', "", Path("/"))
    assert 'url = "postgresql+asyncpg://me:...@host/name"' in dump(config)


@pytest.mark.parametrize("text", ['a"b\\c', "tab\tnewline\n", "中文", "\x00\x7f"])
def test_a_text_is_written_so_that_it_reads_back(text: str) -> None:
    import tomllib

    assert tomllib.loads(f"a = {to_toml(text)}") == {"a": text}
