"""Root becomes the user of the settings for good, or the server does not start; nobody else becomes another."""

import os
import pwd
import subprocess
import sys

import pytest

from mailhost.cli.quickstart.settings import of_this_user
from mailhost.config.load import parse
from mailhost.config.problem import ConfigProblem
from mailhost.transport import user
from mailhost.transport.user import become, check_user, own_name
from tests.service import TOP

IS_ROOT = os.geteuid() == 0


def test_a_user_of_one_s_own_name_changes_nothing() -> None:
    before = os.getresuid()
    become(own_name())
    assert os.getresuid() == before


def test_a_user_that_is_not_there_is_refused_with_the_cure() -> None:
    with pytest.raises(ConfigProblem, match=r"^server\.user: there is no user nobody-here here; make one: adduser "):
        check_user("nobody-here")


def test_root_is_given_up_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own; whoever is not root hears that only root can do it."""
    if not IS_ROOT:
        with pytest.raises(ConfigProblem, match=r"cannot become root: start the server as root"):
            become("root")
        return
    monkeypatch.setenv("PYTHONPATH", str(TOP))
    code = (
        "import os; from mailhost.transport import user; user._check_readable = lambda name: None\n"
        "user.become('nobody')\n"
        "try: os.setuid(0)\n"
        "except PermissionError: print(os.getresuid(), os.getresgid(), os.getgroups(), os.environ['USER'])"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    nobody = pwd.getpwnam("nobody")
    uid, gid = nobody.pw_uid, nobody.pw_gid
    assert said.strip() == f"{(uid,) * 3} {(gid,) * 3} {os.getgrouplist('nobody', gid)} nobody"


@pytest.mark.parametrize(
    ("root", "bind", "named", "becomes"),
    [
        (True, "127.0.0.1", "", "root"),
        (True, "::1", "", "root"),
        (True, "0.0.0.0", "", ""),
        (True, "127.0.0.1", "mail", "mail"),
        (False, "127.0.0.1", "", ""),
    ],
)
def test_who_tries_it_out_on_loopback_may_be_root(
    root: bool, bind: str, named: str, becomes: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setattr("mailhost.cli.quickstart.settings.is_root", lambda: root)
    config = parse(f'[server]\nbind = "{bind}"\nuser = "{named}"\n', "", request.path.parent)
    assert of_this_user(config).server.user == becomes


def test_root_without_a_user_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user, "is_root", lambda: True)
    with pytest.raises(ConfigProblem, match=r"^server\.user: the server does not run as root: set the user"):
        check_user("")
    check_user("root")
