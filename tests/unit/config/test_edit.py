"""One value is set; what else stands in the file stays."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailhost.config.edit import set_value

TEXT = """\
# ours
[smtp]
port = 25  # the old one
enabled = true

[ imap ]  # reading
# port = 1
"""


def test_a_line_is_replaced() -> None:
    assert set_value(TEXT, "smtp", "port", 2525) == TEXT.replace("port = 25  # the old one", "port = 2525")


def test_a_line_is_added_below_its_header_and_a_comment_is_none() -> None:
    assert set_value(TEXT, "imap", "port", 2143) == TEXT.replace("# reading\n", "# reading\nport = 2143\n")


def test_a_table_is_added_at_the_end() -> None:
    assert set_value(TEXT, "log", "level", "debug") == TEXT + '\n[log]\nlevel = "debug"\n'


def test_an_empty_last_table_is_filled() -> None:
    assert set_value("[log]\n", "log", "level", "debug") == '[log]\nlevel = "debug"\n'


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from("xyz"),
            st.integers() | st.booleans() | st.text() | st.lists(st.text()),
        ),
        max_size=9,
    )
)
def test_what_was_set_last_is_what_is_read(settings: list[tuple[str, str, int | str | list[str]]]) -> None:
    text = ""
    expected: dict[str, dict[str, int | str | list[str]]] = {}
    for section, key, value in settings:
        text = set_value(text, section, key, value)
        expected.setdefault(section, {})[key] = value
    assert tomllib.loads(text) == expected


def test_what_no_setting_holds_is_refused() -> None:
    with pytest.raises(TypeError, match="no setting holds a set"):
        set_value("", "a", "b", {1})


def test_a_table_of_texts_is_written_in_one_line() -> None:
    table = {"mx.a.test:25": "127.0.0.1:2525", 'say "b"': "c"}
    assert tomllib.loads(set_value("", "relay", "connect_map", table)) == {"relay": {"connect_map": table}}
