"""mailhost beside Postfix + Dovecot, in the same run: `python -m benchmarks.beside --bench FOLDER`.

FOLDER holds the bench tool, which drives any server over its protocols and starts the peer (Debian: postfix, dovecot-imapd,
dovecot-pop3d, dovecot-lmtpd, openssl; as root). Both servers are fresh, on loopback, in a temporary folder, and are ended in any case.
For each workload they are measured in turn, as often as --repeat says, the one first that was last before. The table is Markdown;
--write puts it between the markers of a file such as docs/performance.md.
"""

import argparse
import json
import os
import platform
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from benchmarks.contenders import Contender, mailhost, peer, peer_versions
from benchmarks.figures import MARKS, slow, table
from benchmarks.report import TOP, machine, say, scratch

LOAD = "load"
WORKLOADS = [
    "imap-idle",
    "smtp-receive",
    "smtp-fanout",
    "smtp-large",
    "smtp-session",
    "submission",
    "imap-commands",
    "imap-session",
    "imap-select",
    "imap-fetch",
    "imap-body",
    "imap-store",
    "imap-append",
    "imap-search",
    "imap-sort",
    "imap-copy",
    "imap-resync",
    "pop3-session",
    "pop3-stat",
]
"""Idle connections come first: later their memory would be what other work has left behind."""
NEED_BIG = {"imap-select", "imap-fetch", "imap-store", "imap-search", "imap-sort", "imap-resync"}
"""Workloads on the mailbox of 50,000."""
BEGIN, END = "<!-- benchmarks.beside: from here -->", "<!-- benchmarks.beside: to here -->"


@dataclass(frozen=True)
class Plan:
    """What is asked for on the command line."""

    bench: Path
    workloads: list[str]
    repeat: int
    big: int
    set: list[str]
    out: Path
    ends: float
    """On the clock of `time.monotonic`: no run begins after it."""

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "bench", *words]


class Results:
    """All that was measured, by server; kept in a file that is whole after each run."""

    def __init__(self, path: Path, about: str) -> None:
        self.path = path
        self.about = about
        self.runs: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def add(self, label: str, outcome: dict[str, Any]) -> None:
        self.runs.setdefault(label, {}).setdefault(outcome["workload"], []).append(outcome)
        fresh = self.path.with_suffix(".part")
        fresh.write_text(json.dumps({"about": self.about, "runs": self.runs}, indent=1))
        fresh.replace(self.path)

    def has(self, workload: str) -> bool:
        return any(workload in runs for runs in self.runs.values())

    @staticmethod
    def read(path: Path) -> "Results":
        said = json.loads(path.read_text())
        found = Results(path, said["about"])
        found.runs = said["runs"]
        return found


def run(plan: Plan, contenders: list[Contender], results: Results) -> None:
    turn = list(contenders)
    for workload in plan.workloads:
        if workload in NEED_BIG and not results.has(LOAD):
            for contender in contenders:
                results.add(contender.label, fill(plan, contender))
        for number in range(plan.repeat):
            for contender in turn:
                if time.monotonic() > plan.ends:
                    say(f"the time is up before {workload}, run {number + 1}, of {contender.label}")
                    return
                started = time.monotonic()
                results.add(contender.label, measure(plan, contender, workload))
                progress(f"{workload} {number + 1} {contender.label}: {time.monotonic() - started:.0f} s")
            turn.reverse()


def measure(plan: Plan, contender: Contender, workload: str) -> dict[str, Any]:
    """One run. One that fails says so in its outcome, beside what it had found before."""
    out = plan.out.with_name(plan.out.name + ".one")
    out.unlink(missing_ok=True)
    words = ["run_all", "--label", contender.label, "--only", workload, "--repeat", "1", "--big", str(plan.big)]
    words += [word for each in plan.set for word in ("--set", each)]
    tool(plan, [*words, "--out", str(out), *contender.options])
    outcome: dict[str, Any] = json.loads(out.read_text())["runs"][workload][0]
    out.unlink()
    if "error" in outcome:
        progress(f"{workload} {contender.label}: {outcome['error']}")
    return outcome


def fill(plan: Plan, contender: Contender) -> dict[str, Any]:
    """The large mailbox, made once by APPEND; what it takes on the disk."""
    before = contender.octets()
    started = time.monotonic()
    words = [LOAD, "--count", str(plan.big), "--timeout", str(max(60.0, plan.ends - time.monotonic()))]
    outcome: dict[str, Any] = json.loads(tool(plan, [*words, *contender.options]).splitlines()[-1])
    for figures in outcome["cases"].values():
        figures["disk_octets"] = (contender.octets() - before) / plan.big
    progress(f"{plan.big} messages into {contender.label}: {time.monotonic() - started:.0f} s")
    return outcome


def tool(plan: Plan, words: list[str]) -> str:
    """The bench tool's own words; its exit code tells what the outcome tells."""
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        plan.command(*words), cwd=plan.bench, env=environment, capture_output=True, text=True, check=False, timeout=900
    ).stdout


def report(results: Results) -> str:
    ours, (label, theirs) = results.runs["mailhost"], next(one for one in results.runs.items() if one[0] != "mailhost")
    text = "\n".join([results.about, "", *table(ours, theirs, label), "", MARKS])
    behind = [f"{row.title} ({ratio:.2f})" for row, ratio in slow(ours, theirs)]
    return f"{text}\n\nBelow half the peer's: {'; '.join(behind) or 'none'}.\n"


def put(text: str, path: Path, begin_mark: str = BEGIN, end_mark: str = END) -> None:
    """Between the markers of a file, in place of what stood there."""
    whole = path.read_text()
    head, begin, rest = whole.partition(begin_mark)
    _, end, foot = rest.partition(end_mark)
    if not begin or not end:
        sys.exit(f"{path}: the lines {begin_mark} and {end_mark} are wanted")
    path.write_text(f"{head}{begin_mark}\n{text}{end_mark}{foot}")


@contextmanager
def both(plan: Plan, kind: str) -> Iterator[list[Contender]]:
    with scratch() as folder:
        folder.chmod(0o755)  # the peer's processes have users of their own
        script = plan.bench / "bench" / "peer_postfix_dovecot"
        with mailhost(folder / "mailhost") as ours, peer(script, folder / "peer", kind) as theirs:
            yield [ours, theirs]


def about() -> str:
    packages = ", ".join(f"{name} {version(name)}" for name in ("Twisted", "SQLAlchemy", "uvloop"))
    ours = f"mailhost with Python {platform.python_version()}, {packages}, SQLite {sqlite3.sqlite_version}"
    return f"`python -m benchmarks.beside {' '.join(sys.argv[1:])}`\n\n{machine()}. {ours}. {peer_versions()}."


def progress(line: str) -> None:
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def stop(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Ended from outside: the servers end too."""
    sys.exit(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", type=Path, default=os.environ.get("BENCH", TOP.parent / "shared"), metavar="FOLDER")
    parser.add_argument("--only", default=",".join(WORKLOADS), help="these workloads, comma-separated")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--big", type=int, default=50_000, help="messages in the large mailbox")
    parser.add_argument(
        "--set", action="append", default=[], metavar="WORKLOAD.OPTION=VALUE", help="a count of the tool"
    )
    parser.add_argument(
        "--peer", default="", metavar="WORDS", help='"sdbox", "maildir tuned": another format, other settings'
    )
    parser.add_argument("--minutes", type=float, default=40, help="no run begins later than this")
    parser.add_argument("--out", type=Path, default=Path("beside.json"), help="the file of all figures")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table between the markers of this file")
    parser.add_argument("--again", action="store_true", help="measure nothing: the table of what --out holds")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, stop)
    if given.again:
        results = Results.read(given.out)
    else:
        ends = time.monotonic() + given.minutes * 60
        plan = Plan(
            Path(given.bench), given.only.split(","), given.repeat, given.big, given.set, given.out.absolute(), ends
        )
        results = Results(plan.out, about())
        with both(plan, given.peer) as contenders:
            run(plan, contenders, results)
    text = report(results)
    say(text)
    if given.write:
        put(text, given.write, BEGIN, END)


if __name__ == "__main__":
    main()
