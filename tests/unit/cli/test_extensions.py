"""An extension is switched off by its name, and a name that is none stops the start."""

import pytest

from mailhost.cli.extensions import DIALECTS, check_extensions
from mailhost.config.load import load
from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import LISTENERS


def test_each_listener_is_looked_at() -> None:
    assert set(DIALECTS) == set(LISTENERS)


@pytest.mark.parametrize("name", LISTENERS)
def test_an_unknown_extension_stops_the_start(name: str) -> None:
    config = load(None, [f'{name}.without=["NOSUCH"]'])
    with pytest.raises(ConfigProblem, match=rf"mailhost.toml: {name}.without: NOSUCH is no extension here; there are "):
        check_extensions(config, "mailhost.toml")


def test_the_case_of_a_name_does_not_matter() -> None:
    check_extensions(load(None, ['smtp.without=["size"]', 'imap.without=["Idle"]', 'pop3.without=["top"]']), "")
