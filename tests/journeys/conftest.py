"""One server for all journeys that need no settings of their own, and fresh people in it."""

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.journeys.readers import Person
from tests.service import END_SECONDS, TOP, Server, server, serving

__all__ = ["server"]

PEOPLE = 150


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with many accounts, whose mailboxes nobody has used yet."""
    with serving(tmp_path_factory.mktemp("office") / "data") as one:
        add(one, *(person(number) for number in range(PEOPLE)))
        yield one


@pytest.fixture(scope="session")
def people() -> Iterator[Person]:
    """Who has not had a part in a test yet."""
    return iter([person(number) for number in range(PEOPLE)])


@pytest.fixture
def alice(office: Server, people: Iterator[Person]) -> Person:
    return next(people)


@pytest.fixture
def bob(office: Server, people: Iterator[Person]) -> Person:
    return next(people)


def person(number: int) -> Person:
    return Person(f"person{number}@example.org", f"secret-{number}")


def add(server: Server, *people: Person) -> None:
    """As an administrator does it, beside the running server."""
    lines = "".join(f"{each.address} {each.password}\n" for each in people)
    mailhost(server, "user", "add", "--lines", given=lines)


def mailhost(server: Server, *arguments: str, given: str = "", code: int = 0) -> str:
    """The command line, on the settings of a running server; answers with what it printed."""
    command = [sys.executable, "-m", "mailhost", *arguments, "--config", str(server.facts["config"])]
    ended = subprocess.run(
        command, input=given, capture_output=True, text=True, cwd=TOP, timeout=4 * END_SECONDS, check=False
    )
    assert ended.returncode == code, ended.stdout + ended.stderr
    return ended.stdout
