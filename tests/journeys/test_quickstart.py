"""`scripts/run`, as a newcomer and as a program see it; the server is a process of its own."""

import json
import os
import random
import shlex
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from mailhost.config.load import load
from mailhost.config.settings import LISTENERS

pytestmark = pytest.mark.service
TOP = Path(__file__).parents[2]


@contextmanager
def quickstart(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    """The program that scripts/run becomes; killed at the end if it still runs."""
    command = [sys.executable, "-m", "mailhost", "quickstart", *arguments]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=TOP, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def free_base() -> int:
    """Seven ports in a row that nobody holds."""
    while True:
        base = random.randrange(20_000, 30_000)
        try:
            with ExitStack() as stack:
                for port in range(base, base + len(LISTENERS)):
                    stack.enter_context(socket.create_server(("127.0.0.1", port)))
        except OSError:
            continue
        return base


def ready(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    facts = json.loads(process.stdout.readline())
    assert isinstance(facts, dict)
    return facts


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_a_program_gets_one_line_of_json_and_a_clean_end(tmp_path: Path, end: signal.Signals) -> None:
    base = free_base()
    given = ("--data", str(tmp_path), "--ports", str(base), "--json", "--set", "server.host=mx.example.net")
    with quickstart(*given) as process:
        facts = ready(process)
        assert set(facts) == {"ports", "accounts", "ca", "pid", "config"}
        assert facts["ports"] == {
            name: base + number for number, name in enumerate(LISTENERS) if name in facts["ports"]
        }
        assert [account["address"] for account in facts["accounts"]] == ["alice@example.org", "bob@example.org"]
        assert facts["pid"] == process.pid
        assert load(Path(facts["config"])).server.host == "mx.example.net"
        process.send_signal(end)
        assert process.stdout is not None
        assert process.stdout.read() == ""
        assert process.wait(20) == 0


def test_the_ca_is_all_that_a_client_needs_to_trust_the_server_and_the_password_stays(tmp_path: Path) -> None:
    given = ("--data", str(tmp_path), "--ports", str(free_base()), "--json")
    passwords = set()
    for _ in range(2):
        with quickstart(*given) as process:
            facts = ready(process)
            context = ssl.create_default_context(cafile=facts["ca"])
            with smtplib.SMTP_SSL("localhost", facts["ports"]["submissions"], context=context, timeout=20) as client:
                account = facts["accounts"][0]
                assert client.login(account["address"], account["password"])[0] == 235
            passwords |= {account["password"] for account in facts["accounts"]}
            process.terminate()
            process.wait(20)
    assert len(passwords) == 1


def test_a_person_gets_a_screen_that_says_all(tmp_path: Path) -> None:
    with quickstart("--data", str(tmp_path), "--ports", str(free_base())) as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith("Stop with"):
                break
        process.terminate()
        lines += process.stdout.readlines()
        assert process.wait(20) == 0
    assert len(lines) <= 24
    said = "".join(lines)
    [trial] = [line.strip() for line in lines if " try --config " in line]
    assert (
        trial
        == f"{shlex.quote(str(Path(sys.executable).with_name('mailhost').relative_to(TOP)))} try --config {tmp_path}/mailhost.toml"
    )
    for wanted in ("alice@example.org", (tmp_path / "sample-password").read_text().strip(), "SHA-256", "SPA off"):
        assert wanted in said


def test_a_second_server_on_one_folder_hears_of_the_first(tmp_path: Path) -> None:
    with quickstart("--data", str(tmp_path), "--ports", str(free_base()), "--json") as first:
        pid = ready(first)["pid"]
        command = [sys.executable, "-m", "mailhost", "quickstart", "--data", str(tmp_path)]
        second = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=20, check=False)
        first.terminate()
        assert first.wait(20) == 0
    assert second.returncode == 75
    assert second.stderr == (
        f"mailhost: server.data: a server on {tmp_path} already runs (pid {pid}); end it, or use another folder\n"
    )
