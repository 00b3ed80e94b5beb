"""Our password at the smarthost: from a file that nobody else can read."""

import os
import stat
from pathlib import Path

LONGEST = 4_096


class PasswordProblem(Exception):
    """There is no password to send; the text says what to do."""


def read_password(path: Path) -> str:
    """The first line. Read at each login, so that a new one counts at once; for a thread. Raises `PasswordProblem`."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise PasswordProblem(f"others can read {path}, the relay's password: chmod 600 {path}")
            line = file.readline(LONGEST)
        password = line.decode().rstrip("\r\n")
    except OSError as problem:
        raise PasswordProblem(f"relay.password_file {path} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise PasswordProblem(f"relay.password_file {path} is not written in UTF-8") from None
    if not password:
        raise PasswordProblem(f"relay.password_file {path} is empty: write the password of relay.user into it")
    return password
