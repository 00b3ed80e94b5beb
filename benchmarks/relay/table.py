"""The rows of `benchmarks.relay`, as Markdown: medians, ratios, goals."""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

OURS, THEIRS, POSTGRESQL = "mailhost", "Postfix", "mailhost on PostgreSQL"
Runs = Mapping[str, Mapping[str, Sequence[float]]]
"""By server, then by the key of a row."""
UNSTEADY = 0.5
"""Of the median: where the runs differ by more, the row is marked."""
HEAD = (
    f"| work | unit | {OURS} | {THEIRS} | ratio | CPU ms each | its CPU ms | goal | |",
    "|---|---|--:|--:|--:|--:|--:|---|---|",
)
MARKS = "S: the runs differ by more than half of their median."


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    key: str
    title: str
    unit: str
    less_is_better: bool = False
    most: float | None = None
    """The goal, where there is one."""
    server: str = OURS


def _rates(key: str, what: str, server: str = OURS) -> tuple[Row, Row]:
    return (
        Row(f"{key} 1", f"{what}, to 1 destination", "msg/s", server=server),
        Row(f"{key} 100", f"{what}, to 100", "msg/s", server=server),
    )


ROWS = (
    *_rates("queue", "from a full queue"),
    *_rates("flow", "from 10 clients, through the queue"),
    *_rates("queue", "on PostgreSQL: from a full queue", POSTGRESQL),
    *_rates("flow", "on PostgreSQL: from 10 clients", POSTGRESQL),
    Row("idle p50", "from the 250 to the far side's end of data, p50", "ms", less_is_better=True, most=50),
    Row("idle p99", "the same, p99", "ms", less_is_better=True),
    Row("fresh p50", "the same, to a host without a connection, p50", "ms", less_is_better=True),
    Row("dead without", "99 destinations", "msg/s"),
    Row("dead with", "the same beside a dead one", "msg/s"),
    Row("dead loss", "what is lost by it: the median of all pairs of runs", "%", less_is_better=True, most=5),
    Row("dead least", "the least of them", "%", less_is_better=True),
    Row("dead most", "the most", "%", less_is_better=True),
    Row("recipients 1", "1 message to 10,000 recipients, of 1 destination", "s", less_is_better=True),
    Row("recipients 1 transactions", "transactions", "", less_is_better=True),
    Row("recipients 100", "the same, of 100", "s", less_is_better=True),
    Row("recipients 100 transactions", "transactions", "", less_is_better=True),
    Row("start 0", "start with an empty queue", "s", less_is_better=True),
    Row("start 1000", "with 100,000 waiting, for 1,000 destinations", "s", less_is_better=True, most=2),
    Row("start 1", "for 1", "s", less_is_better=True, most=2),
    Row("memory 1000", "memory more than with an empty queue: 100,000 for 1,000", "MB", less_is_better=True, most=100),
    Row("memory 1", "for 1", "MB", less_is_better=True, most=100),
    Row("new 0", "a new message, as above, p50: beside an empty queue", "ms", less_is_better=True),
    Row("new 1000", "beside 100,000 for 1,000", "ms", less_is_better=True, most=50),
    Row("new 1", "beside 100,000 for 1", "ms", less_is_better=True, most=50),
    *(
        Row(
            f"claim {spread} {size}",
            f"a claim of 100 due rows, {size:,} waiting for {spread:,}",
            "ms",
            less_is_better=True,
        )
        for spread in (1_000, 1)
        for size in (100, 10_000, 100_000)
    ),
)


def table(runs: Runs) -> Iterator[str]:
    yield from HEAD
    for row in ROWS:
        if figures := runs.get(row.server, {}).get(row.key):
            yield _line(row, runs, figures)


def missed(runs: Runs) -> list[str]:
    """The rows that do not reach their goal."""
    return [
        f"{row.title} ({shown(figure)} {row.unit})"
        for row in ROWS
        if row.most is not None and (figure := _median(runs, row.server, row.key)) is not None and figure >= row.most
    ]


def _line(row: Row, runs: Runs, figures: Sequence[float]) -> str:
    ours, theirs = statistics.median(figures), _median(runs, THEIRS, row.key)
    cells = [
        row.title,
        row.unit,
        shown(ours),
        shown(theirs),
        _ratio(row, ours, theirs),
        shown(_median(runs, row.server, f"{row.key} cpu")),
        shown(_median(runs, THEIRS, f"{row.key} cpu")),
        "" if row.most is None else f"{'' if ours < row.most else 'MISSED: '}below {row.most:g}",
        "S" * any(_is_unsteady(runs.get(each, {}).get(row.key, ())) for each in (row.server, THEIRS)),
    ]
    return f"| {' | '.join(cells)} |"


def _ratio(row: Row, ours: float, theirs: float | None) -> str:
    """Above 1 we are ahead; of what is lost there is none."""
    if theirs is None or row.unit in ("%", "") or not ours or not theirs:
        return ""
    return f"{theirs / ours if row.less_is_better else ours / theirs:.2f}"


def _median(runs: Runs, server: str, key: str) -> float | None:
    figures = runs.get(server, {}).get(key)
    return statistics.median(figures) if figures else None


def _is_unsteady(figures: Sequence[float]) -> bool:
    return len(figures) > 1 and max(figures) - min(figures) > UNSTEADY * abs(statistics.median(figures))


def shown(figure: float | None) -> str:
    """Three digits at least."""
    if figure is None:
        return ""
    return f"{figure:,.0f}" if abs(figure) >= 100 else f"{figure:.3g}"
