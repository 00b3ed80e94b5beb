"""One server for all journeys that need no settings of their own, and fresh people in it."""

from collections.abc import Iterator, Sequence

import pytest

from tests.journeys.administrator import add
from tests.journeys.readers import Person
from tests.service import Server, server, serving

__all__ = ["server"]

PEOPLE = 120


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
def alice(office: Server) -> Person:
    """Who writes the contents: their header names her. All tests share her mailbox, so none looks into it."""
    return Person(office.addresses[0], office.password)


@pytest.fixture
def bob(office: Server, people: Iterator[Person]) -> Person:
    return next(people)


@pytest.fixture
def carol(office: Server, people: Iterator[Person]) -> Person:
    return next(people)


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql)])
def on_each(request: pytest.FixtureRequest) -> Sequence[str]:
    """Settings for each engine: the test runs on both."""
    if request.param == "sqlite":
        return ()
    return (f'database.url="{request.getfixturevalue("postgresql_url")}"',)


def person(number: int) -> Person:
    return Person(f"person{number}@example.org", f"secret-{number}")
