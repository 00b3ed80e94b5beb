"""`mailhost setup` as an administrator at a terminal sees it."""

import os
import sys
from pathlib import Path

import pytest

from tests.journeys.terminal import terminal

pytestmark = pytest.mark.service


def test_the_password_is_asked_for_twice_and_never_shown(tmp_path: Path) -> None:
    user = ["--user", "root"] if os.geteuid() == 0 else []
    place = ["--config", str(tmp_path / "mailhost.toml"), "--data", str(tmp_path / "data")]
    command = [sys.executable, "-m", "mailhost", "setup", "you@example.org", *place, *user]
    with terminal(command, os.environ) as screen:
        for times, typed in enumerate(("correct house", "correct horse"), 1):
            screen.until_shown("Password for you@example.org", times)
            screen.type("correct horse\n")
            screen.until_shown("Once more", times)
            screen.type(typed + "\n")
        shown = screen.until_it_leaves().decode()
    assert "mailhost is set up for example.org." in shown
    assert "do not match" in shown
    assert "correct" not in shown
    assert "is not shown again" not in shown
    assert (tmp_path / "data" / "mailhost.db").exists()
