"""sd_notify(3): one datagram to whoever is named, and silence where nobody is."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailhost.transport.systemd import READY, notify, reloading


@pytest.fixture(params=["path", "abstract"])
def systemd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    name = str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as one:
        one.bind(name.replace("@", "\0"))
        one.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        yield one


def test_a_word_arrives_whole(systemd: socket.socket) -> None:
    notify(READY, "STATUS=x")
    assert systemd.recv(100) == b"READY=1\nSTATUS=x"
    reloading()
    first, second = systemd.recv(100).decode().split("\n")
    assert first == "RELOADING=1"
    assert int(second.removeprefix("MONOTONIC_USEC=")) > 0


@pytest.mark.parametrize("name", ["", "relative", "/no/such/socket"])
def test_nobody_who_listens_is_no_trouble(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    notify(READY)
    monkeypatch.delenv("NOTIFY_SOCKET")
    notify(READY)
