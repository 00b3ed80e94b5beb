"""How often one thing may happen to one person within an hour."""

from datetime import timedelta

from mailhost.ids import Millis
from mailhost.relay.pace import MOST_REMEMBERED, Pace

HOUR = 3_600_000


def test_so_often_within_the_span_and_again_when_it_is_over() -> None:
    pace = Pace(2, timedelta(hours=1))
    assert [pace.allows("a", Millis(at)) for at in (0, 1, 2, HOUR - 1, HOUR, HOUR, HOUR + 1, HOUR + 2)] == [
        True, True, False, False, True, False, True, False,
    ]  # fmt: skip


def test_everybody_is_counted_alone() -> None:
    pace = Pace(1, timedelta(hours=1))
    assert pace.allows("a", Millis(0))
    assert pace.allows("b", Millis(0))
    assert not pace.allows("a", Millis(1))


def test_memory_is_bounded() -> None:
    pace = Pace(1, timedelta(hours=1))
    for number in range(MOST_REMEMBERED + 100):
        assert pace.allows(str(number), Millis(0))
    assert len(pace._moments) == MOST_REMEMBERED
