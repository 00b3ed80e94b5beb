"""What stands over each table: the command, the machine, the date, the commit."""

import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

TOP = Path(__file__).parents[1]


def heading(program: str) -> None:
    versions = f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}"
    say(f"$ {' '.join(['python -m', program, *sys.argv[1:]])}")
    say(f"{machine()}, {versions}\n")


def machine() -> str:
    """When, what and where; the load average tells whether others kept the machine busy."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{now}, commit {_commit()}, {_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="mailhost-bench-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _commit() -> str:
    found = subprocess.run(
        ["git", "describe", "--always", "--dirty"], cwd=TOP, capture_output=True, text=True, check=False
    )
    return found.stdout.strip() or "unknown"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())
