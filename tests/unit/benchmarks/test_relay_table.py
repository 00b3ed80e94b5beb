"""The table of the relay: medians, which way a ratio counts, goals."""

from benchmarks.relay.table import OURS, THEIRS, missed, table

RUNS = {
    OURS: {"queue 1": [900.0, 1000.0, 1100.0], "idle p50": [60.0], "dead loss": [-2.0], "queue 1 cpu": [0.5]},
    THEIRS: {"queue 1": [500.0], "idle p50": [30.0], "dead loss": [1.0]},
}


def test_ahead_is_above_one_whether_more_or_less_is_better() -> None:
    queue, idle, _ = list(table(RUNS))[2:]
    assert queue == "| from a full queue, to 1 destination | msg/s | 1,000 | 500 | 2.00 | 0.5 |  |  |  |"
    assert idle.split(" | ")[2:5] == ["60", "30", "0.50"]


def test_a_goal_that_is_missed_is_named() -> None:
    assert missed(RUNS) == ["from the 250 to the far side's end of data, p50 (60 ms)"]


def test_runs_that_differ_much_are_marked() -> None:
    (row,) = list(table({OURS: {"queue 1": [400.0, 1000.0, 1100.0]}}))[2:]
    assert row.endswith("| S |")
