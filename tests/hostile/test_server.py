"""The fixture itself: it sees what went wrong in the server that it started."""

from pathlib import Path

import pytest

from tests.service import Server, mistakes

pytestmark = pytest.mark.service


def test_a_server_serves_until_it_is_told_to_end(server: Server) -> None:
    with server.connect("smtp") as client:
        assert client.recv(4096).startswith(b"220 ")
    assert server.end() == 0


@pytest.mark.parametrize(
    "line",
    [
        "Traceback (most recent call last):",
        "2026-11-21T10:00:00Z [error    ] fault   cause='DATA: KeyError()'",
        "Task exception was never retrieved",
    ],
)
def test_a_mistake_in_the_log_is_found(tmp_path: Path, line: str) -> None:
    log = tmp_path / "log"
    log.write_text(f"[info     ] conn.open\n{line}\n[info     ] refused cause='500 5.5.1 Command not recognised'\n")
    assert mistakes(log) == [line]
