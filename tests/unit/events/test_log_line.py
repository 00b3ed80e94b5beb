"""A line of the log for people."""

import structlog
from hypothesis import given
from hypothesis import strategies as st

from mailhost.events.sinks import plain_line

NAMES = st.text("abcdefghij_", min_size=1, max_size=8)
VALUES = st.one_of(
    st.text(max_size=20), st.integers(), st.booleans(), st.none(), st.lists(st.text(max_size=3), max_size=2)
)
THEIRS = structlog.dev.ConsoleRenderer(colors=False)


@given(
    st.sampled_from(["conn.open", "fault", "a kind that is longer than the column for it"]),
    st.dictionaries(NAMES, VALUES, max_size=5),
)
def test_a_line_reads_as_structlog_writes_it(kind: str, data: dict[str, object]) -> None:
    fields = {"timestamp": "2026-11-25T16:55:00Z", "level": "info", "event": kind}
    assert plain_line(None, "info", data | fields) == THEIRS(None, "info", data | fields)
