"""Which number a process has in the identifiers that it makes: no two that write into one database have the same."""

import fcntl
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from mailhost.database.errors import DatabaseUnsafe
from mailhost.ids import NODE_BITS

SERVER = 0


@dataclass(frozen=True, slots=True)
class Node:
    """A number, ours until we close it or die."""

    number: int
    file: int | None = None

    def close(self) -> None:
        if self.file is not None:
            os.close(self.file)


def claim(folder: Path, number: int | None = None) -> Node:
    """This number, or the first free one after the server's. Raises `DatabaseUnsafe`: another process has it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for candidate in range(SERVER + 1, 1 << NODE_BITS) if number is None else (number,):
        node = _try(folder, candidate)
        if node is not None:
            return node
    which = "every node number" if number is None else f"the node number {number}"
    raise DatabaseUnsafe(
        f"{folder}: another mailhost that runs on this data has {which}; end it, or use another folder"
    )


def at_random() -> Node:
    """For a command beside the servers of a PostgreSQL, where no folder is shared."""
    return Node(1 + secrets.randbelow((1 << NODE_BITS) - 1))


def _try(folder: Path, number: int) -> Node | None:
    file = os.open(folder / f"node-{number}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return Node(number, file)
