"""Files that a set-up makes: whole or not at all, and never over another."""

import os
import secrets
from pathlib import Path

PRIVATE, PUBLIC = 0o600, 0o644
LETTERS = "abcdefghkmnpqrstuvwxyz"
"""None that is taken for another when somebody types it."""
GROUPS, GROUP = 4, 4


def write_new(path: Path, octets: bytes, mode: int = PRIVATE) -> None:
    """Raises FileExistsError rather than to overwrite; what a crash leaves is no half of it."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)  # whatever the umask
        file.write(octets)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)
    finally:
        fresh.unlink()


def replace(path: Path, octets: bytes, mode: int = PRIVATE) -> None:
    """Keep it, whole or not at all, in the place of what is there."""
    fresh = path.with_name(path.name + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(octets)
    fresh.replace(path)


def make_password() -> str:
    """71 bits of chance, in groups that a person can read out."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(GROUP)) for _ in range(GROUPS))
