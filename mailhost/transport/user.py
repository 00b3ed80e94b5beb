"""Who the server is: root binds the ports and reads the keys, then it becomes another user for good."""

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from mailhost.config.problem import ConfigProblem

KEY = "server.user"
ROOT = "root"
"""Said in `server.user`, it means: stay root."""


def is_root() -> bool:
    return os.geteuid() == 0


def own_name() -> str:
    """Who runs this process; some have a number only."""
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def check_user(name: str) -> None:
    """Whether the server may run as it was started, with this `server.user`. Raises `ConfigProblem`."""
    if not name and is_root():
        cure = f'the server does not run as root: set the user it is to become, such as user = "mailhost" ("{ROOT}" stays root)'
        raise ConfigProblem("", KEY, cure)
    if name not in ("", ROOT) and is_root():
        _check_readable(name)
    if name and entry(name).pw_uid != os.geteuid() and not is_root():
        way = "as root" if name == ROOT else f"as root, or as {name}"
        raise ConfigProblem(
            "", KEY, f"{own_name()} cannot become {name}: start the server {way}, or leave this setting out"
        )


def entry(name: str) -> pwd.struct_passwd:
    """The user of this name. Raises `ConfigProblem`."""
    try:
        return pwd.getpwnam(name)
    except KeyError:
        raise ConfigProblem(
            "", KEY, f"there is no user {name} here; make one: adduser --system --group {name}"
        ) from None


def _check_readable(name: str) -> None:
    """A program that is not its user's to read would break off at the first part that it loads later."""
    with seen_by(name):
        for place in (os.__file__, __file__):
            if not os.access(place, os.R_OK, effective_ids=True):
                cure = "install Python and mailhost where every user may read them, such as /usr or /opt"
                raise ConfigProblem("", KEY, f"{name} cannot read {place}: {cure}")


@contextmanager
def seen_by(name: str) -> Iterator[None]:
    """Root looks with the eyes of another for a moment. Raises `ConfigProblem`."""
    other, groups, group = entry(name), os.getgroups(), os.getegid()
    os.setgroups(os.getgrouplist(other.pw_name, other.pw_gid))
    os.setegid(other.pw_gid)
    os.seteuid(other.pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)


@contextmanager
def as_server(name: str) -> Iterator[None]:
    """Root acts as the user that the server will be; everybody else as himself. Raises `ConfigProblem`."""
    with seen_by(name) if is_root() and name not in ("", ROOT) else nullcontext():
        yield


def become(name: str) -> None:
    """Give root up for good: groups first, then the group, then the user, while it may still be done. Raises `ConfigProblem`."""
    check_user(name)
    if not is_root() or name in ("", ROOT):
        return
    user = entry(name)
    os.initgroups(user.pw_name, user.pw_gid)
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    _check_gone()
    os.environ |= {
        "HOME": user.pw_dir,
        "USER": user.pw_name,
        "LOGNAME": user.pw_name,
    }  # libraries look into the home folder


def _check_gone() -> None:
    """Rather no server than one that could be root again."""
    if os.getuid() == 0:
        return  # a second name of root's
    try:
        os.setuid(0)
    except PermissionError:
        return
    raise RuntimeError("root was given up, and could be had again")
