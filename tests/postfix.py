"""A private Postfix on loopback, from Debian's package: green.test, and the way to one domain of ours. Whatever it takes for
green.test it keeps in one Maildir, as it came.

It asks no DNS: where mail goes is in its transport map. It is ended by its process id, and leaves nothing of itself behind.
"""

import os
import shutil
import signal
import socketserver
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.relay.hosts import certificates
from tests.service import END_SECONDS, free_base

POSTFIX = "/usr/sbin/postfix"
SHARED = Path("/usr/share/postfix")
NOBODY = 65534
HOST, DOMAIN = "mx.green.test", "green.test"
OLD_HOST, OLD_DOMAIN = "mx.old.test", "old.test"
"""The same Postfix at another port, where it speaks as hosts did thirty years ago."""
MODERN = "pipelining, 8bitmime, smtputf8, dsn, starttls, chunking, enhancedstatuscodes, size, etrn, vrfy"
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
myhostname = {host}
mydomain = {domain}
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
local_recipient_maps =
local_header_rewrite_clients =
smtputf8_enable = yes
message_size_limit = 20000000
virtual_mailbox_domains = {domain}, {old}
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = static:all/
virtual_minimum_uid = 1
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}
virtual_mailbox_limit = 0
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtpd_peername_lookup = no
transport_maps = inline:{{ {transports} }}
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access inline:{{ {{nobody@{domain} = 550 5.1.1 Nobody of this name}} }},
    check_policy_service inet:127.0.0.1:{policy}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtpd_tls_received_header = yes
smtp_tls_security_level = may
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
biff = no
"""


@dataclass(frozen=True)
class Postfix:
    port: int
    """The next one is the old host's."""
    folder: Path
    greylisted: list[str]
    """Who was told to come again, once for each recipient."""

    def log(self) -> str:
        return (self.folder / "mail.log").read_text(errors="replace")

    def kept(self) -> list[bytes]:
        """All messages for green.test, with the line ends of mail."""
        files = sorted((self.folder / "mail/all/new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return [path.read_bytes().replace(b"\n", b"\r\n") for path in files]

    def arrived(self, mark: bytes, count: int = 1) -> list[bytes]:
        """The messages that hold some octets, when there are so many."""
        deadline = time.monotonic() + END_SECONDS
        while len(found := [each for each in self.kept() if mark in each]) < count:
            assert time.monotonic() < deadline, self.log()[-5_000:]
            time.sleep(0.05)
        assert len(found) == count
        return found


@contextmanager
def postfix(transports: Mapping[str, int]) -> Iterator[Postfix]:
    """`transports`: where mail for other domains goes, by port on loopback. Skips where Postfix cannot be run."""
    if not Path(POSTFIX).exists():
        pytest.skip("not installed here: postfix (Debian: apt install postfix)")
    if os.geteuid() != 0:
        pytest.skip("Postfix gives up root by itself, and so begins as root")
    with ExitStack() as stack:
        # pytest's own folders are closed to the users that Postfix becomes
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mailhost-postfix-")))
        folder.chmod(0o755)
        greylisted: list[str] = []
        policy = stack.enter_context(_greylist(greylisted))
        port = free_base()
        _configure(folder, port, policy, transports)
        stack.enter_context(_running(folder))
        yield Postfix(port, folder, greylisted)


def _configure(folder: Path, port: int, policy: int, transports: Mapping[str, int]) -> None:
    for name in ("config", "spool", "data", "mail"):
        (folder / name).mkdir()
    os.chown(folder / "mail", NOBODY, NOBODY)
    shutil.chown(folder / "data", "postfix")
    made, _ = certificates(folder / "tls", HOST)
    values = {
        "folder": folder,
        "host": HOST,
        "domain": DOMAIN,
        "old": OLD_DOMAIN,
        "nobody": NOBODY,
        "policy": policy,
        "certificate": made.certificate,
        "key": made.key,
        "transports": ", ".join(f"{{{domain} = smtp:[127.0.0.1]:{at}}}" for domain, at in transports.items()),
    }
    (folder / "config/main.cf").write_text(MAIN.format(**values))
    (folder / "config/master.cf").write_text("\n".join(_services(port)) + "\n")
    (folder / "config/dynamicmaps.cf").write_text("")
    (folder / "config/postfix-files").write_text("$queue_directory:d:root:-:755:uc\n" + _queues())


def _services(port: int) -> Iterator[str]:
    """Debian's own, none of them in a chroot, and without the standard port."""
    for line in (SHARED / "master.cf.dist").read_text().splitlines():
        words = line.split()
        if not words or line[0] in "# \t" or words[7] == "pipe":
            continue
        if words[:2] == ["smtp", "inet"]:
            yield f"127.0.0.1:{port} inet n - n - - smtpd"
            yield f"127.0.0.1:{port + 1} inet n - n - - smtpd\n  -o {{ smtpd_discard_ehlo_keywords = {MODERN} }}"
        else:
            yield " ".join([*words[:4], "n", *words[5:]])


def _queues() -> str:
    """What `postfix start` makes of an empty queue, with the owners that it needs."""
    own = "active bounce corrupt defer deferred flush hold incoming private saved trace"
    lines = [f"$queue_directory/{name}:d:$mail_owner:-:700:ucr\n" for name in own.split()]
    lines += [f"$queue_directory/{name}:d:$mail_owner:$setgid_group:{mode}:ucr\n" for name, mode in GROUP.items()]
    return "".join([*lines, "$queue_directory/pid:d:root:-:755:uc\n"])


GROUP = {"maildrop": "730", "public": "710"}


@contextmanager
def _running(folder: Path) -> Iterator[None]:
    command = [POSTFIX, "-c", str(folder / "config"), "start"]
    started = subprocess.run(command, capture_output=True, text=True, timeout=END_SECONDS, check=False)
    log = folder / "mail.log"
    assert started.returncode == 0, started.stderr + (log.read_text() if log.exists() else "")
    pid = int((folder / "spool/pid/master.pid").read_text())
    try:
        yield
    finally:
        _end(pid)


def _end(pid: int) -> None:
    """The master takes its children with it."""
    deadline = time.monotonic() + END_SECONDS
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        while time.monotonic() < deadline:
            os.kill(pid, 0)
            time.sleep(0.02)
        raise AssertionError(f"Postfix did not end: process {pid}")


@contextmanager
def _greylist(greylisted: list[str]) -> Iterator[int]:
    """Postfix's policy protocol: whoever writes to later@green.test for the first time is asked to come again."""

    class Policy(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked: dict[str, str] = {}
            while line := self.rfile.readline().decode():
                name, is_set, value = line.strip().partition("=")
                if is_set:
                    asked[name] = value
                elif asked:
                    self.wfile.write(f"action={self._verdict(asked['recipient'])}\n\n".encode())
                    asked = {}

        def _verdict(self, recipient: str) -> str:
            if not recipient.startswith("later") or recipient in greylisted:
                return "DUNNO"
            greylisted.append(recipient)
            return "DEFER 4.7.1 Greylisted, come again"

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Policy) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
