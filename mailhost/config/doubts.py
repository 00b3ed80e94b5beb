"""Settings that each may stand, but do not go together: the server starts with them, and says so."""

from collections.abc import Iterator

from mailhost.config.problem import ConfigProblem
from mailhost.config.settings import Config

SPARE_FILES = 200
"""Open files that the server needs for itself: the database, large messages, sockets between processes."""


def doubts(config: Config) -> Iterator[ConfigProblem]:
    """Each in one line, with key and cure."""
    connections = sum(listener.most_connections for listener in config.listeners.values())
    if connections + SPARE_FILES > config.server.open_files:
        cure = f"raise it to {connections + SPARE_FILES}, or lower most_connections of the listeners"
        line = f"{config.server.open_files} is too few for {connections} connections, which the listeners allow together; {cure}"
        yield ConfigProblem("", "server.open_files", line)
