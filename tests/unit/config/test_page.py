"""docs/settings.md is made from the declarations, and says of each setting whether SIGHUP takes it over."""

from pathlib import Path

import pytest

from mailhost.config.load import parse, sections
from mailhost.config.page import page
from mailhost.config.reload import NOT_RELOADED, RELOADED, is_reloaded, reload
from mailhost.config.settings import LISTENERS, Config

FILE = Path(__file__).parents[3] / "docs" / "settings.md"
NAMES = [f"{name}.{key}" for name, table in sections(Config()) for key in table.__struct_fields__]


def test_the_page_is_current() -> None:
    assert FILE.read_text(encoding="utf-8") == page(), "run scripts/settings"


@pytest.mark.parametrize("name", NAMES)
def test_each_setting_has_its_row(name: str) -> None:
    section, _, key = name.partition(".")
    (row,) = [line for line in chapter(section) if line.startswith(f"| `{key}` |")]
    assert row.count(" | ") == 4
    assert (" | yes | " in row) == is_reloaded(name)


def chapter(section: str) -> list[str]:
    return page().partition(f"\n## [{section}]\n")[2].partition("\n## ")[0].splitlines()


@pytest.mark.parametrize("pattern", RELOADED)
def test_each_pattern_of_what_is_reloaded_means_a_setting(pattern: str) -> None:
    assert [name for name in NAMES if is_reloaded(name) and name.startswith(pattern.rstrip("*"))]


def test_the_sockets_stay_as_they_are() -> None:
    assert set(NOT_RELOADED) <= set(NAMES)
    assert not any(is_reloaded(f"{name}.{key}") for name in LISTENERS for key in ("port", "enabled"))
    assert not any(map(is_reloaded, ("server.bind", "server.data", "server.user", "server.node", "database.url")))


def test_what_is_taken_over_and_what_is_not_are_told_apart() -> None:
    old = parse('[database]\nurl = "postgresql+asyncpg://a:secret@h/n"', "", Path("/"))
    new = parse(
        '[database]\nurl = "postgresql+asyncpg://a:other@h/n"\n[smtp]\nport = 26\nmost_hops = 50', "", Path("/")
    )
    found = reload(old, new)
    assert [str(each) for each in found.taken] == ["smtp.most_hops: 100 -> 50"]
    assert [each.name for each in found.at_restart] == ["database.url", "smtp.port"]
    assert "secret" not in str(found.at_restart[0])
    assert (found.config.smtp.most_hops, found.config.smtp.port) == (50, 25)
    assert found.config.database == old.database
    assert reload(found.config, new).taken == ()
