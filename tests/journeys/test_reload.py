"""SIGHUP: new connections see new settings and a new certificate, old ones go on; what is wrong changes nothing."""

import os
import pty
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mailhost.cli.authority import Folder, ensure
from mailhost.config.edit import set_value
from tests.service import END_SECONDS, TOP, Server, free_base, serving

pytestmark = pytest.mark.service


def write(server: Server, name: str, value: object) -> None:
    path = Path(str(server.facts["config"]))
    section, _, key = name.partition(".")
    path.write_text(set_value(path.read_text(), section, key, value))


def reload(server: Server, outcome: str) -> str:
    """Ask for it, and wait until the log tells of it; answers with what the log has said since."""
    before = len(server.log())
    server.process.send_signal(signal.SIGHUP)
    until = time.monotonic() + END_SECONDS
    while outcome not in (said := server.log()[before:]):
        assert time.monotonic() < until, said
        time.sleep(0.01)
    return said


def fingerprint(server: Server) -> bytes:
    """What a client that trusts the folder's CA is shown."""
    with server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost") as client:
        shown = client.getpeercert(binary_form=True)
    assert shown
    return shown


def renew(server: Server) -> None:
    """Another certificate of the same CA."""
    tls = Folder(server.data / "tls")
    tls.certificate.unlink()
    ensure(tls, ["localhost", "127.0.0.1"])


def greeting(server: Server) -> bytes:
    with server.connect("smtp") as client:
        return client.recv(4096)


def test_a_new_certificate_is_shown_to_new_connections_and_old_ones_go_on(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        first = fingerprint(server)
        with server.tls().wrap_socket(server.connect("imaps"), server_hostname="localhost") as old:
            old.recv(4096)
            renew(server)
            assert fingerprint(server) == first
            reload(server, "server.reloaded")
            assert fingerprint(server) != first
            old.sendall(b"a NOOP\r\n")
            assert b"a OK" in old.recv(4096)


def test_what_can_be_taken_over_is_and_what_waits_for_the_next_start_is_named(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        with server.connect("smtp") as old:
            old.recv(4096)
            write(server, "server.host", "mx.example.net")
            write(server, "smtp.message_octets", "1MiB")
            write(server, "log.level", "debug")
            write(server, "login.allow_plaintext", value=True)
            write(server, "imap.without", ["IDLE"])
            write(server, "server.open_files", 13_000)
            write(server, "imap.port", 1)
            write(server, "database.lock_timeout", "7s")
            said = reload(server, "server.reloaded")
            old.sendall(b"EHLO x\r\n")
            assert b"SIZE 52428800" in old.recv(4096)
        assert said.count("server.needs_restart") == 3
        assert "imap.port: " in said
        assert 'database.lock_timeout: "5s" -> "7s", at the next start' in said
        assert 'smtp.message_octets: "50MiB" -> "1MiB"' in said
        assert greeting(server).startswith(b"220 mx.example.net ")
        with server.connect("smtp") as fresh:
            fresh.sendall(b"EHLO x\r\n")
            while b"SIZE" not in (heard := fresh.recv(4096)):
                assert heard
            assert b"SIZE 1048576" in heard
        with server.connect("imap") as fresh:
            fresh.sendall(f"a LOGIN {server.addresses[0]} {server.password}\r\n".encode())
            while b"a OK" not in (heard := fresh.recv(4096)):
                assert b"a NO" not in heard
            fresh.sendall(b"b CAPABILITY\r\n")
            while b"b OK" not in (heard := fresh.recv(4096)):
                assert heard
            assert b" NAMESPACE " in heard
            assert b" IDLE" not in heard


def test_a_limit_of_connections_counts_at_once(tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server, server.connect("smtp") as one:
        assert one.recv(4096).startswith(b"220 ")
        write(server, "smtp.most_connections", 1)
        reload(server, "server.reloaded")
        assert greeting(server).startswith(b"421 ")
        one.sendall(b"NOOP\r\n")
        assert one.recv(4096).startswith(b"250 ")


def test_a_bad_file_changes_nothing_and_the_next_good_one_counts(tmp_path: Path) -> None:
    """The log has errors here, which a server that nobody ended must not have: so it is ended."""
    with serving(tmp_path / "data") as server:
        write(server, "server.host", "mx.example.net")
        write(server, "smtp.prt", 1)
        said = reload(server, "server.reload_refused")
        assert "mailhost.toml: smtp.prt: unknown key; did you mean smtp.port?; the settings stay as they were" in said
        assert greeting(server).startswith(b"220 mail.example.org ")
        first = fingerprint(server)
        write(server, "smtp.prt", 1)
        path = Path(str(server.facts["config"]))
        path.write_text(path.read_text().replace("prt = 1\n", ""))
        (server.data / "tls" / "server.crt").write_text("no certificate")
        said = reload(server, "server.reload_refused")
        assert "server.crt" in said
        assert "is no certificate in PEM" in said or "is not a certificate in PEM" in said
        assert fingerprint(server) == first
        renew(server)
        reload(server, "server.reloaded")
        assert greeting(server).startswith(b"220 mx.example.net ")
        assert server.end() == 0
        server.stderr.write_text("")


def test_the_grace_may_be_shortened_while_it_runs(tmp_path: Path) -> None:
    with serving(tmp_path / "data", 'server.grace="10m"') as server, server.connect("smtp") as hanging:
        hanging.sendall(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
        while b"354 " not in hanging.recv(4096):
            pass
        hanging.sendall(b"Subject: half\r\n")
        write(server, "server.grace", "100ms")
        reload(server, "server.reloaded")
        assert server.end() == 0


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """One is silent in the middle of a message, and the grace is far longer than the test may take."""
    with serving(tmp_path / "data", 'server.grace="10m"') as server, server.connect("smtp") as hanging:
        hanging.sendall(b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@example.org>\r\nDATA\r\n")
        while b"354 " not in hanging.recv(4096):
            pass
        hanging.sendall(b"Subject: half\r\n")
        server.process.send_signal(signal.SIGTERM)
        while True:
            try:
                server.connect("smtp").close()  # it is ending once nobody listens any more
            except ConnectionError:
                break
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5) == 0


def test_a_server_whose_terminal_is_gone_ends(tmp_path: Path) -> None:
    """A closed window sends SIGHUP too; what was started in it is not left behind."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "mailhost", "quickstart", "--data", str(tmp_path / "data"), "--json"]
    command += ["--ports", str(free_base())]
    with subprocess.Popen(command, cwd=TOP, stdout=subprocess.PIPE, stderr=slave, text=True) as process:
        os.close(slave)
        try:
            assert process.stdout is not None
            assert process.stdout.readline()
            os.close(master)
            process.send_signal(signal.SIGHUP)
            assert process.wait(END_SECONDS) == 0
        finally:
            process.kill()


def test_systemd_hears_of_each_step(tmp_path: Path) -> None:
    """As a service of Type=notify-reload is asked to tell (sd_notify(3))."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(END_SECONDS)
        with serving(tmp_path / "data", environment={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as server:
            assert systemd.recv(4096) == b"READY=1"
            before = time.monotonic_ns() // 1000
            server.process.send_signal(signal.SIGHUP)
            said = systemd.recv(4096).decode().split("\n")
            assert said[0] == "RELOADING=1"
            assert before <= int(said[1].removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000
            assert systemd.recv(4096) == b"READY=1"
            assert server.end() == 0
            assert systemd.recv(4096) == b"STOPPING=1"


def test_a_certificate_near_its_end_is_spoken_of(tmp_path: Path) -> None:
    """Here it is one that somebody put there himself: our own would be renewed."""
    from datetime import UTC, datetime, timedelta

    other = Folder(tmp_path / "other")
    ensure(other, ["localhost"], datetime.now(UTC) - timedelta(days=390))
    given = (f'tls.certificate="{other.certificate}"', f'tls.key="{tmp_path}/key.pem"')
    (tmp_path / "key.pem").write_bytes(other.key.read_bytes())
    with serving(tmp_path / "data", *given) as server:
        context = ssl.create_default_context(cafile=str(other.ca))
        with context.wrap_socket(server.connect("imaps"), server_hostname="localhost") as client:
            client.recv(4096)
        said = server.log()
        assert "[warning  ] server.certificate_ends" in said
        assert "put a new one there, then reload the server (SIGHUP)" in said
