"""A private Postfix from Debian's package, as it is shipped, on loopback; what it relays goes where its transport map says."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from benchmarks.receive import read_reply
from benchmarks.relay.mailhost import MESSAGES
from benchmarks.relay.sinks import PATH
from tests.service import END_SECONDS, free_base

MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
meta_directory = {folder}/config
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/mail.log
maillog_file_prefixes = /
myhostname = mx.bench.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_limit = 100000
smtp_destination_recipient_limit = 100
transport_maps = texthash:{folder}/transport
biff = no
"""
"""Settings as Debian ships them, but for the lab, for the recipients that one message may have, and for those of one transaction
(50, as it is shipped): both servers have 100 there."""
SERVICES = Path("/usr/share/postfix/master.cf.dist")
QUEUES = "active bounce corrupt defer deferred flush hold incoming private saved trace"
GROUPS = {"maildrop": "730", "public": "710"}
HELD = "  -o { smtpd_client_restrictions = check_client_access static:HOLD }"
TICKS = os.sysconf("SC_CLK_TCK")


class Postfix:
    """Held back in its queue `hold`, by the port that a message came to."""

    label = "Postfix"
    sender = "alice@bench.test"
    messages = MESSAGES

    def __init__(self, folder: Path, port: int, pid: int) -> None:
        self._folder, self._port, self._pid = folder, port, pid

    def connect(self) -> socket.socket:
        return self._open(self._port)

    def connect_held(self) -> socket.socket:
        return self._open(self._port + 1)

    def hold(self, messages: int) -> str:
        """Nothing is asked for: the port is enough."""
        assert messages
        return ""

    def let_go(self) -> float:
        """Out of `hold` at first, which is not counted; then its queue runs."""
        self._command("postsuper", "-H", "ALL")
        at = time.perf_counter()
        self._command("postqueue", "-f")
        return at

    def cpu(self) -> float:
        """The master's, its children's, and theirs that are gone."""
        found = [_stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()]
        its = [each for each in found if each and self._pid in each[:2]]
        own = sum(each[2] for each in its)
        gone = next((each[3] for each in its if each[0] == self._pid), 0)
        return (own + gone) / TICKS

    def delivered(self) -> int:
        log = self._folder / "mail.log"
        return log.read_bytes().count(b" status=sent ") if log.exists() else 0

    def waiting(self) -> int:
        """Messages."""
        queues = ("incoming", "active", "deferred", "hold", "maildrop")
        return sum(path.is_file() for each in queues for path in (self._folder / "spool" / each).rglob("*"))

    def forget(self) -> None:
        self._command("postsuper", "-d", "ALL")

    def _open(self, port: int) -> socket.socket:
        wire = socket.create_connection(("127.0.0.1", port), timeout=END_SECONDS)
        read_reply(wire)
        wire.sendall(b"EHLO bench.example\r\n")
        read_reply(wire)
        return wire

    def _command(self, program: str, *words: str) -> None:
        path = shutil.which(program, path=PATH)
        assert path
        subprocess.run([path, "-c", str(self._folder / "config"), *words], capture_output=True, check=True)


def _stat(pid: int) -> tuple[int, int, int, int] | None:
    """The process, its parent, its ticks, and those of its children that have ended."""
    try:
        words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return pid, int(words[1]), int(words[11]) + int(words[12]), int(words[13]) + int(words[14])


@contextmanager
def postfix(folder: Path, routes: Mapping[str, str], port: int) -> Iterator[Postfix]:
    """`routes`: each domain's address, where `port` is the SMTP port."""
    for name in ("config", "spool", "data"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    shutil.chown(folder / "data", "postfix")
    base = free_base()
    (folder / "transport").write_text("".join(f"{name} smtp:[{where}]:{port}\n" for name, where in routes.items()))
    (folder / "config/main.cf").write_text(MAIN.format(folder=folder))
    (folder / "config/master.cf").write_text("\n".join(_services(base)) + "\n")
    (folder / "config/dynamicmaps.cf").write_text("")
    (folder / "config/postfix-files").write_text(_files())
    program = shutil.which("postfix", path=PATH) or "postfix"
    started = subprocess.run([program, "-c", folder / "config", "start"], capture_output=True, text=True, check=False)
    assert started.returncode == 0, started.stderr
    pid = int((folder / "spool/pid/master.pid").read_text())
    try:
        yield Postfix(folder, base, pid)
    finally:
        _end(pid)


def _services(port: int) -> Iterator[str]:
    """Debian's own, none of them in a chroot; two ports in place of the standard one."""
    for line in SERVICES.read_text().splitlines():
        words = line.split()
        if words and line[0] not in "# \t" and words[7] != "pipe" and words[:2] != ["smtp", "inet"]:
            yield " ".join([*words[:4], "n", *words[5:]])
    yield f"127.0.0.1:{port} inet n - n - - smtpd"
    yield f"127.0.0.1:{port + 1} inet n - n - - smtpd"
    yield HELD


def _files() -> str:
    """What `postfix start` makes of an empty queue, with the owners that it needs."""
    lines = [f"$queue_directory/{name}:d:$mail_owner:-:700:ucr\n" for name in QUEUES.split()]
    lines += [f"$queue_directory/{name}:d:$mail_owner:$setgid_group:{mode}:ucr\n" for name, mode in GROUPS.items()]
    return "".join(["$queue_directory:d:root:-:755:uc\n", *lines, "$queue_directory/pid:d:root:-:755:uc\n"])


def _end(pid: int) -> None:
    """The master takes its children with it."""
    ends = time.monotonic() + END_SECONDS
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < ends:
            os.kill(pid, 0)
            time.sleep(0.02)
        raise AssertionError(f"Postfix did not end: process {pid}")
