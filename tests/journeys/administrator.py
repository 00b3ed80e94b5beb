"""The command line, beside a running server."""

import subprocess
import sys

from tests.journeys.readers import Person
from tests.service import END_SECONDS, TOP, Server


def add(server: Server, *people: Person) -> None:
    """As an administrator does it, beside the running server."""
    lines = "".join(f"{each.address} {each.password}\n" for each in people)
    mailhost(server, "user", "add", "--lines", "--add-domain", given=lines)


def mailhost(server: Server, *arguments: str, given: str = "", code: int = 0) -> str:
    """The command line, on the settings of a running server; answers with what it printed."""
    command = [sys.executable, "-m", "mailhost", *arguments, "--config", str(server.facts["config"])]
    ended = subprocess.run(
        command, input=given, capture_output=True, text=True, cwd=TOP, timeout=4 * END_SECONDS, check=False
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout
