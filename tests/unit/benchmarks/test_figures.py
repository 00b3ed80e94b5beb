"""The table of benchmarks.beside says which server is ahead, and how far it can be trusted."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.beside import BEGIN, END, put
from benchmarks.figures import Runs, slow, table


def runs(case: str, *figures: dict[str, Any]) -> Runs:
    workload, _, name = case.partition("/")
    usual = {"wall_s": 1.0, "server_cpu_s": 1.0, "server_cpu_ms_per_op": 0.25}
    return {workload: [{"workload": workload, "cases": {name: usual | each}} for each in figures]}


def row(ours: Runs, theirs: Runs) -> list[str]:
    (line,) = [line for line in table(ours, theirs, "peer") if not line.startswith(("| work |", "|---"))]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_more_messages_a_second_are_better() -> None:
    ours, theirs = runs("imap-append/c1", {"rate": 300.0}), runs("imap-append/c1", {"rate": 200.0})
    assert row(ours, theirs) == ["APPEND, 4 KiB, 1 connection", "msg/s", "300", "200", "1.50", "", "0.25", "0.25"]


def test_fewer_milliseconds_are_better() -> None:
    ours, theirs = runs("imap-search/text", {"p50_ms": 400.0}), runs("imap-search/text", {"p50_ms": 100.0})
    assert row(ours, theirs)[2:5] == ["400", "100", "0.25"]
    assert [(each.title, ratio) for each, ratio in slow(ours, theirs)] == [("SEARCH TEXT", 0.25)]


def test_the_median_counts_and_runs_that_differ_are_marked() -> None:
    ours = runs("pop3-stat/stat", {"rate": 100.0}, {"rate": 900.0}, {"rate": 110.0})
    theirs = runs("pop3-stat/stat", {"rate": 100.0, "other_cpu_share": 0.4})
    assert row(ours, theirs)[2:6] == ["110", "100", "1.10", "NS"]


def test_a_workload_that_is_not_there_says_why() -> None:
    ours: Runs = {"imap-resync": [{"workload": "imap-resync", "cases": {}, "skipped": "no QRESYNC"}]}
    theirs = runs("imap-resync/changed", {"p50_ms": 100.0})
    assert row(ours, theirs)[2:5] == ["no QRESYNC", "100", ""]


def test_little_cpu_time_is_not_told() -> None:
    ours = runs("imap-commands/noop-c1", {"rate": 8.0, "server_cpu_s": 0.05})
    assert row(ours, runs("imap-commands/noop-c1", {"rate": 8.0}))[6:] == ["", "0.25"]


def test_the_table_takes_the_place_of_the_last_one(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    put("new\n", page, BEGIN, END)
    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"


def test_a_page_without_the_markers_is_left_as_it_is(tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    page.write_text("nothing of the kind\n")
    with pytest.raises(SystemExit):
        put("new\n", page, BEGIN, END)
    assert page.read_text() == "nothing of the kind\n"
