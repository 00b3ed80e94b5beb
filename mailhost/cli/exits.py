"""How a command ends: a code of sysexits.h, and one line that says why."""

import errno
import os
import traceback
from collections.abc import Mapping

import click

EX_USAGE, EX_DATAERR, EX_NOUSER, EX_UNAVAILABLE, EX_SOFTWARE, EX_CANTCREAT = 64, 65, 67, 69, 70, 73
EX_IOERR, EX_TEMPFAIL, EX_PROTOCOL, EX_NOPERM, EX_CONFIG = 74, 75, 76, 77, 78
INTERRUPTED = 130

PROBLEMS: Mapping[str, tuple[int, str]] = {
    "mailhost.config.problem.ConfigProblem": (EX_CONFIG, ""),
    "mailhost.database.errors.SchemaTooNew": (EX_CONFIG, ""),
    "mailhost.database.errors.DatabaseUnsafe": (EX_CONFIG, ""),
    "mailhost.database.errors.CommitFailed": (EX_TEMPFAIL, ""),
    "mailhost.message.address.AddressProblem": (EX_DATAERR, ""),
    "mailhost.transport.ports.PortForbidden": (EX_NOPERM, ""),
    "mailhost.transport.ports.PortBusy": (EX_TEMPFAIL, ""),
    "mailhost.administration.running.AlreadyRuns": (EX_TEMPFAIL, ""),
    "mailhost.transport.reactor.TooFewOpenFiles": (EX_CONFIG, ""),
    "sqlalchemy.exc.SQLAlchemyError": (EX_TEMPFAIL, "the database: "),
    "asyncpg.exceptions._base.PostgresError": (EX_TEMPFAIL, "the database: "),
    "builtins.ConnectionError": (EX_TEMPFAIL, "the database cannot be reached: "),
}
"""What an administrator can mend: its code, and what stands before the problem's own first line. By name, so that nothing is
imported for it; a problem's base classes count too."""

TROUBLES: Mapping[int, int] = {
    errno.EADDRINUSE: EX_TEMPFAIL,
    errno.ENOSPC: EX_TEMPFAIL,
    errno.EACCES: EX_NOPERM,
    errno.EPERM: EX_NOPERM,
}
"""What the system may refuse; all else is EX_IOERR."""

CURES: Mapping[int, str] = {
    errno.EACCES: "run as the user that it belongs to, or choose another folder (server.data; scripts/run --data)",
    errno.ENOSPC: "make room on this disk, or choose another folder (server.data; scripts/run --data)",
    errno.EROFS: "choose a folder that can be written (server.data; scripts/run --data)",
}
"""What to do about a file that the system refuses."""


class Failure(click.ClickException):
    """A command cannot do what was asked: one line, and its code."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


def report(problem: Exception) -> int:
    """Say what went wrong in one line on standard error, and answer with the code."""
    if isinstance(problem, click.ClickException) and not isinstance(problem, Failure):
        problem.show()
        return EX_USAGE
    if isinstance(problem, click.Abort):
        return INTERRUPTED
    if os.environ.get("MAILHOST_TRACEBACK"):
        traceback.print_exception(problem)
    line, code = verdict(problem)
    if not isinstance(problem, BrokenPipeError):
        click.echo(f"mailhost: {' '.join(line.split())}", err=True)
    return code


def verdict(problem: Exception) -> tuple[str, int]:
    """The line and the code for a problem."""
    if isinstance(problem, Failure):
        return problem.message, problem.code
    for kind in type(problem).__mro__:
        if known := PROBLEMS.get(f"{kind.__module__}.{kind.__qualname__}"):
            code, prefix = known
            return prefix + (str(problem).strip() or kind.__name__).splitlines()[0], code
    if isinstance(problem, ModuleNotFoundError) and problem.name == "asyncpg":
        return 'database.url: PostgreSQL needs asyncpg; pip install "mailhost[postgresql]"', EX_CONFIG
    if isinstance(problem, OSError):
        return _refused_by_the_system(problem), TROUBLES.get(problem.errno or 0, EX_IOERR)
    return f"a fault of ours: {problem!r} (MAILHOST_TRACEBACK=1 shows where)", EX_SOFTWARE


def _refused_by_the_system(problem: OSError) -> str:
    place = f"{problem.filename}: " if problem.filename else ""
    cure = CURES.get(problem.errno or 0) if problem.filename else None
    return f"{place}{problem.strerror or problem}" + (f"; {cure}" if cure else "")
