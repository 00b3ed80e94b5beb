"""`mailhost setup` as an administrator at a terminal sees it."""

import os
import sys
from pathlib import Path

import pytest

from tests.journeys.terminal import terminal
from tests.service import TOP

pytestmark = pytest.mark.service


def test_the_password_is_asked_for_twice_and_never_shown(tmp_path: Path) -> None:
    user = ["--user", "root"] if os.geteuid() == 0 else []
    place = ["--config", str(tmp_path / "mailhost.toml"), "--data", str(tmp_path / "data")]
    command = [sys.executable, "-m", "mailhost", "setup", "you@example.org", *place, *user]
    with terminal(command, {**os.environ, "PYTHONPATH": str(TOP)}) as screen:
        screen.until("Password for you@example.org")
        screen.type("correct horse\n")
        screen.until("Once more")
        screen.type("correct house\n")
        screen.until("do not match")
        screen.until("Password for you@example.org")
        screen.type("correct horse\n")
        screen.until("Once more")
        screen.type("correct horse\n")
        shown = screen.until_it_leaves().decode()
    assert "mailhost is set up for example.org." in shown
    assert "correct" not in shown
    assert "is not shown again" not in shown
    assert (tmp_path / "data" / "mailhost.db").exists()
