"""The rows of `benchmarks.beside`: which figure of the bench tool each shows, medians, ratios, marks; as Markdown."""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Outcome = Mapping[str, Any]
"""One run of one workload, as the bench tool writes it."""
Runs = Mapping[str, Sequence[Outcome]]
"""By the name of the workload."""

NOISE = 0.15
"""Of all CPUs, used by neither server nor client: from here on the row is marked."""
SHORT = 0.2
"""Seconds of CPU; the kernel counts ticks of 10 ms, so less of it says little of one operation."""
MARKS = (
    f"N: something else used more than {NOISE:.0%} of the CPUs. C: the client was the limit, so the server is at least as fast. "
    "!: not all that was sent was seen again. S: the runs differ by more than half of their median."
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table."""

    key: str
    """Workload and case."""
    title: str
    unit: str
    figure: str = "rate"
    less_is_better: bool = False


def latency(key: str, title: str) -> Row:
    return Row(key, title, "ms", "p50_ms", less_is_better=True)


ROWS = (
    Row("smtp-receive/c1", "SMTP, 4 KiB, 1 connection: to the 250", "msg/s"),
    Row("smtp-receive/c10", "10 connections", "msg/s"),
    Row("smtp-receive/c50", "50 connections", "msg/s"),
    Row("smtp-receive/c1", "the same, 1 connection: until in the mailbox", "msg/s", "delivered_per_s"),
    Row("smtp-receive/c10", "10 connections", "msg/s", "delivered_per_s"),
    Row("smtp-receive/c50", "50 connections", "msg/s", "delivered_per_s"),
    Row("smtp-fanout/c1", "to 50 recipients each, 1 connection: in the mailboxes", "deliveries/s", "delivered_per_s"),
    Row("smtp-fanout/c10", "10 connections", "deliveries/s", "delivered_per_s"),
    Row("smtp-large/large", "one message of 20 MiB", "MB/s"),
    Row("smtp-session/plain", "session: connect, 1 message, QUIT", "sessions/s"),
    Row("submission/starttls", "submission: STARTTLS, AUTH, 1 message", "sessions/s"),
    Row("submission/implicit", "submission: TLS, AUTH, 1 message", "sessions/s"),
    Row("imap-session/c10", "IMAP session: LOGIN, SELECT, FETCH of 10, LOGOUT", "sessions/s"),
    Row("imap-commands/noop-c1", "NOOP, 1 connection", "op/s"),
    Row("imap-commands/noop-c10", "NOOP, 10 connections", "op/s"),
    latency("imap-select/same-session", "SELECT of 50,000, again in one session"),
    latency("imap-select/new-session", "SELECT of 50,000, new session"),
    latency("imap-select/status", "STATUS of 50,000"),
    Row("imap-fetch/flags", "FETCH 1:* (UID FLAGS)", "msg/s"),
    Row("imap-fetch/full-cold", "FETCH 1:* with ENVELOPE and BODYSTRUCTURE, first time", "msg/s"),
    Row("imap-fetch/full-warm", "the same again", "msg/s"),
    Row("imap-body/small", "2,000 bodies of 4 KiB", "MB/s"),
    Row("imap-body/large", "one body of 20 MiB", "MB/s"),
    Row("imap-body/one-by-one", "bodies of 4 KiB, a FETCH each", "msg/s"),
    Row("imap-store/all-add", "STORE 1:* +FLAGS", "msg/s"),
    Row("imap-store/all-remove-silent", "STORE 1:* -FLAGS.SILENT", "msg/s"),
    Row("imap-store/single", "STORE of one message, in a mailbox of 50,000", "op/s"),
    Row("imap-store/single-c10", "STORE of one message, 10 connections, mailboxes of 100", "op/s"),
    Row("imap-append/c1", "APPEND, 4 KiB, 1 connection", "msg/s"),
    Row("imap-append/c10", "APPEND, 10 connections", "msg/s"),
    Row("imap-append/multiappend", "MULTIAPPEND", "msg/s"),
    latency("imap-search/from", "SEARCH FROM"),
    latency("imap-search/subject", "SEARCH SUBJECT"),
    latency("imap-search/header", "SEARCH HEADER Message-ID"),
    latency("imap-search/since", "SEARCH SINCE"),
    latency("imap-search/unseen", "SEARCH UNSEEN"),
    latency("imap-search/text", "SEARCH TEXT"),
    latency("imap-sort/sort-date", "SORT by date"),
    latency("imap-sort/sort-subject", "SORT by subject"),
    latency("imap-sort/thread", "THREAD"),
    Row("imap-copy/copy", "COPY of 1,000", "msg/s"),
    Row("imap-copy/move", "MOVE of 1,000", "msg/s"),
    Row("imap-copy/expunge", "EXPUNGE of 10,000", "msg/s"),
    Row("imap-idle/open", "open a connection and IDLE", "conn/s"),
    Row("imap-idle/open", "memory of an idle connection", "KiB", "pss_kib_per_connection", less_is_better=True),
    latency("imap-idle/notify-append", "APPEND until a client in IDLE hears"),
    latency("imap-idle/notify-smtp", "SMTP until a client in IDLE hears"),
    latency("imap-resync/changed", "QRESYNC, 600 changes"),
    latency("imap-resync/changedsince", "FETCH CHANGEDSINCE"),
    Row("pop3-session/open", "POP3: login, STAT, LIST and UIDL of 1,000", "ms", "p50_ms", less_is_better=True),
    Row("pop3-session/retr", "RETR, one by one", "msg/s"),
    Row("pop3-session/retr-pipelined", "RETR, 50 in a packet", "msg/s"),
    Row("pop3-session/dele-quit", "DELE of 1,000, and QUIT", "msg/s"),
    Row("pop3-stat/stat", "POP3 session: login, STAT, QUIT", "sessions/s"),
    Row("load/bench-big", "filling a mailbox: 50,000 APPENDs, pipelined (the peer: by MULTIAPPEND)", "msg/s"),
    Row("load/bench-big", "octets on the disk a message of these", "octets", "disk_octets", less_is_better=True),
    Row("smtp-receive/c50", "the server's memory after 50 connections", "MiB", "server_pss_mib", less_is_better=True),
)


@dataclass(frozen=True, slots=True)
class Cell:
    """What one server showed in one row: medians over the runs."""

    value: float
    cpu_ms: float | None
    marks: frozenset[str]


def cell(row: Row, runs: Runs) -> Cell | None:
    """None where no run came to a figure."""
    found = [figures for figures in _cases(row.key, runs) if isinstance(figures.get(row.figure), int | float)]
    if not found:
        return None
    values = [figures[row.figure] for figures in found]
    middle = statistics.median(values)
    marks = {mark for mark, holds in _marks(found) if holds}
    if middle and (max(values) - min(values)) / middle > 0.5:
        marks.add("S")
    cpu = [each["server_cpu_ms_per_op"] for each in found if each.get("server_cpu_s", 0) >= SHORT]
    return Cell(middle, statistics.median(cpu) if cpu else None, frozenset(marks))


def _cases(key: str, runs: Runs) -> Iterator[Outcome]:
    workload, _, case = key.partition("/")
    for outcome in runs.get(workload, ()):
        if case in outcome["cases"]:
            yield outcome["cases"][case]


def _marks(found: Sequence[Outcome]) -> Iterator[tuple[str, bool]]:
    noise = statistics.median([figures.get("other_cpu_share", 0) for figures in found])
    yield "N", noise > NOISE and found[0]["wall_s"] > 0.3
    yield "C", any(figures.get("client_limited") for figures in found)
    yield "!", not all(figures.get("verified", True) for figures in found)


def table(ours: Runs, theirs: Runs, label: str) -> Iterator[str]:
    """Lines of Markdown; above 1, mailhost is ahead."""
    yield f"| work | unit | mailhost | {label} | ratio | | CPU ms each | its CPU ms |"
    yield "|---|---|--:|--:|--:|---|--:|--:|"
    for row in ROWS:
        mine, other = cell(row, ours), cell(row, theirs)
        if mine is None and other is None:
            continue
        yield "| " + " | ".join(_cells(row, mine, other, _why(row, ours))) + " |"


def _cells(row: Row, mine: Cell | None, other: Cell | None, why: str) -> Iterable[str]:
    yield row.title
    yield row.unit
    yield short(mine.value) if mine else why
    yield short(other.value) if other else ""
    yield f"{ratio(row, mine, other):.2f}" if mine and other else ""
    yield "".join(sorted((mine.marks if mine else frozenset()) | (other.marks if other else frozenset())))
    for each in (mine, other):
        yield "" if each is None or each.cpu_ms is None or row.figure not in {"rate", "p50_ms"} else short(each.cpu_ms)


def ratio(row: Row, mine: Cell, other: Cell) -> float:
    if row.less_is_better:
        return other.value / mine.value if mine.value else 0.0
    return mine.value / other.value if other.value else 0.0


def _why(row: Row, runs: Runs) -> str:
    """Why there is no figure: what the tool said of the workload."""
    said = [str(each.get("skipped") or each.get("error") or "") for each in runs.get(row.key.partition("/")[0], ())]
    return next((each for each in said if each), "-")


def short(value: float) -> str:
    """Three digits say what can be said."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def slow(ours: Runs, theirs: Runs, limit: float = 0.5) -> list[tuple[Row, float]]:
    """The rows in which mailhost has less than this part of the peer's speed."""
    found = []
    for row in ROWS:
        mine, other = cell(row, ours), cell(row, theirs)
        if mine and other and ratio(row, mine, other) < limit:
            found.append((row, ratio(row, mine, other)))
    return found
