"""What the README says of ports and commands is what the program does."""

from pathlib import Path

from mailhost.cli.quickstart.settings import DEFAULT_BASE
from mailhost.config.settings import LISTENERS, Config

TOP = Path(__file__).parents[3]
README = (TOP / "README.md").read_text(encoding="utf-8")


def test_the_ports_are_the_program_s() -> None:
    real = " | ".join(str(listener.port) for listener in Config().listeners.values())
    quick = " | ".join(str(DEFAULT_BASE + number) for number in range(len(LISTENERS)))
    assert f"| `mailhost run` | {real} |" in README
    assert f"| `scripts/run` | {quick} |" in README


def test_the_ports_for_a_first_client_are_those_of_tls() -> None:
    for name in ("imaps", "pop3s", "submissions"):
        assert f"`localhost`, port {DEFAULT_BASE + LISTENERS.index(name)}, SSL/TLS" in README


def test_every_script_that_is_named_is_there() -> None:
    for name in ("run", "test", "check", "format", "soak"):
        assert f"scripts/{name}" in README
        assert (TOP / "scripts" / name).stat().st_mode & 0o111
