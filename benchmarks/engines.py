"""Which database a measurement runs on: SQLite, a PostgreSQL that is given, or a private cluster."""

import argparse
import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any


def add_engine(parser: argparse.ArgumentParser) -> None:
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--url", default="sqlite", help="an empty database, postgresql+asyncpg://...")
    which.add_argument("--postgresql", action="store_true", help="a private cluster, gone afterwards")


@contextmanager
def engine(arguments: argparse.Namespace) -> Iterator[str]:
    """The URL for the settings."""
    if not arguments.postgresql:
        yield arguments.url
        return
    from tests.postgresql import Cluster  # needs nothing of the tests otherwise

    cluster = Cluster.start()
    try:
        yield cluster.url(cluster.create())
    finally:
        cluster.stop()


def run(program: Coroutine[Any, Any, None]) -> None:
    """On the loop that the server has."""
    try:
        import uvloop
    except ImportError:
        asyncio.run(program)
    else:
        uvloop.run(program)
