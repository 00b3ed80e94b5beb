"""The two servers of `benchmarks.beside`, each fresh in a folder of its own, on loopback: mailhost, and the bench tool's peer.

Both run as they are shipped, but for the limits that would stop a load, and both write their log into a file.
"""

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL

from mailhost.cli import authority
from mailhost.config.settings import LISTENERS
from tests.service import END_SECONDS, TOP, free_base, mistakes, tail

USERS = 200
DOMAIN = "bench.test"
PASSWORD = "secret"
PEER_BASE = 25_000
"""The peer takes its ports from here on: 25,025 for SMTP, 25,993 for IMAP over TLS."""
LISTED = ("smtp", "submission", "submissions", "imap", "imaps", "pop3")
"""The listeners that the bench tool has an option for."""
MANY = 999_999
SUBMITTER, SUBMITS_AS = f"user6@{DOMAIN}", "sender419@example.org"
"""Who logs in, and what the From field of his message says: it must be one of his own addresses (RFC 6409 section 6.1)."""
SETTINGS = f"""\
[login]
allow_plaintext = true

[server]
host = "mx.{DOMAIN}"
data = "."
"""
ROOT = 'user = "root"\n'
"""Its folder is root's; the peer's needs root in any case."""
LIMITS = {"most_connections": 20_000, "most_per_address": 20_000}
SMTP_LIMITS = {"most_transactions": MANY, "most_commands": MANY}


@dataclass(frozen=True)
class Contender:
    """One server that serves."""

    label: str
    options: list[str]
    """For the bench tool: host, ports, users, the processes to watch."""
    mail: Path
    """The folder whose octets on the disk are the mail's."""

    def octets(self) -> int:
        """On the disk, in whole blocks."""
        said = subprocess.run(["du", "-s", "-B1", str(self.mail)], capture_output=True, text=True, check=True)
        return int(said.stdout.split()[0])


@contextmanager
def mailhost(folder: Path) -> Iterator[Contender]:
    """A server of this checkout. It must end well, with no mistake in its log."""
    folder.mkdir()
    config, log = folder / "mailhost.toml", folder / "mailhost.log"
    ports = dict(zip(LISTENERS, range(free_base(), 65_536), strict=False))
    config.write_text(settings(ports))
    authority.ensure(authority.Folder(folder / "tls"), ["localhost", "127.0.0.1"])
    lines = "".join(f"user{number}@{DOMAIN} {PASSWORD}\n" for number in range(USERS))
    program = [sys.executable, "-m", "mailhost"]
    at = ["--config", str(config)]
    for words, said in (
        ("domain add " + DOMAIN, ""),
        ("user add --lines", lines),
        ("domain add " + SUBMITS_AS.partition("@")[2], ""),
        (f"alias add {SUBMITS_AS} {SUBMITTER}", ""),
    ):
        subprocess.run([*program, *words.split(), *at], input=said, cwd=TOP, text=True, stdout=DEVNULL, check=True)
    with (
        log.open("a") as stderr,
        subprocess.Popen(
            [*program, "run", "--ready-json", *at], cwd=TOP, stdout=subprocess.PIPE, stderr=stderr, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            ready = process.stdout.readline()
            assert ready, f"mailhost did not start: {tail(log)}"
            json.loads(ready)
            yield Contender("mailhost", options(ports, process.pid), folder)
            process.terminate()
            assert process.wait(END_SECONDS) == 0, tail(log)
            assert not mistakes(log), "\n".join(mistakes(log)[:20])
        finally:
            process.kill()


def settings(ports: dict[str, int]) -> str:
    """The file of settings: all else is as it comes."""
    text = SETTINGS + ROOT * (os.geteuid() == 0)
    for name, port in ports.items():
        own = {"port": port, **LIMITS, **(SMTP_LIMITS if name.startswith(("smtp", "submission")) else {})}
        text += f"\n[{name}]\n" + "".join(f"{key} = {value}\n" for key, value in own.items())
    return text


def options(ports: dict[str, int], pid: int) -> list[str]:
    """There is no cache to empty before the first FETCH (`--cold-hook`): what it needs was written at the delivery."""
    user = f"user{{i}}@{DOMAIN}"
    said = ["--user", user, "--rcpt", user, "--password", PASSWORD, "--server-pid", str(pid), "--cold-hook", "true"]
    return said + [word for name in LISTED for word in (f"--{name}-port", str(ports[name]))]


@contextmanager
def peer(script: Path, folder: Path, kind: str) -> Iterator[Contender]:
    """Postfix and Dovecot from Debian's packages, by the bench tool's script. `kind` is its further words, such as "sdbox"."""
    environment = {"BASE": str(PEER_BASE), "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
    folder.mkdir()
    try:
        up = subprocess.run(
            [script, "up", folder, *kind.split()], env=environment, stdout=subprocess.PIPE, text=True, check=True
        )
        mail = folder / "mail"
        # What the first FETCH computes and the next ones find in these files.
        hook = f"find {shlex.quote(str(mail))} -name 'dovecot.index*' -delete"
        yield Contender("Postfix + Dovecot", [*shlex.split(up.stdout), "--cold-hook", hook], mail)
    finally:
        subprocess.run([script, "down", folder], env=environment, check=False)


def peer_versions() -> str:
    postfix = _first_word(["postconf", "-d", "-h", "mail_version"])
    return f"Postfix {postfix}, Dovecot {_first_word(['dovecot', '--version'])}"


def _first_word(command: list[str]) -> str:
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.split()
    return said[0] if said else "?"
